"""Rules that say what else was so at the time."""
