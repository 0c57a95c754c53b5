"""Thousands of damaged files, and what reads them: by command, as it takes minutes."""
