"""The small trace that says what an incident is about."""
