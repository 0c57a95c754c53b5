"""Tests of what rules look at."""
