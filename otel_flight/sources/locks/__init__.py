"""Which lock a stack waits for, and who acquired it."""
