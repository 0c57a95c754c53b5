"""Tests of what the outcome of a span means."""
