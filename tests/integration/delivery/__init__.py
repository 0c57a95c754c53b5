"""Incidents on their way from a process to a receiver, whatever that answers."""
