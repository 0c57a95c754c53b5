"""Where incidents wait for their delivery: a directory, or memory where none can be written."""
