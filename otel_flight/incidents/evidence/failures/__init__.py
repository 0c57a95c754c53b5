"""What failed: exceptions and their chains, what was logged of them, what was tried again."""
