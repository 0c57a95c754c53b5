"""Spans made by hand and at random, and the secrets that they may hold."""
