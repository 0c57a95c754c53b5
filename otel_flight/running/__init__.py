"""What runs between start and stop: the run, its threads, its hooks, and what it counts."""
