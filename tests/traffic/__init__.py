"""Ordinary life of real services, which makes no incident, and faults in the midst of it."""
