"""Incidents made for tests, what the rules find in them, and how they are shown."""
