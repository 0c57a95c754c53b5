"""However a process ends, what it had recorded is kept, and what it died of is told."""
