"""What a code object says: where it is from, its instructions, its lines."""
