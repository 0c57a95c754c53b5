"""Tests of what a run takes over from others."""
