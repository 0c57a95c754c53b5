"""Reasons to fire, one a file, and the gate that decides which firings become incidents."""
