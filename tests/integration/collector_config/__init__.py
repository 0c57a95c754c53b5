"""What the files in collector-config/ promise, with real Collectors."""
