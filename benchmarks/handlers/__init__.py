"""Handlers as services have them, each reading three rows from a database in memory."""
