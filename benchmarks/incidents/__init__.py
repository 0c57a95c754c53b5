"""What an incident costs: explained, flushed, delivered to real backends, and looked at."""
