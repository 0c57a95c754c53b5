"""Tells someone of an incident: the log, a command, a server."""
