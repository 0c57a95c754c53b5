"""What the outcome of a span means: an error, or what was to be expected."""
