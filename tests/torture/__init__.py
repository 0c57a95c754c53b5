"""Ends a program in every way there is, on every Python found, and looks for what was recorded."""
