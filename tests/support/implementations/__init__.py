"""What there is in C and in Python, for tests that both must pass."""
