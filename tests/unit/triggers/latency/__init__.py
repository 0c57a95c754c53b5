"""Tests of what is learned about latency."""
