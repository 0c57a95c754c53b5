"""What several tests and the benchmarks share, in a room for each kind of it."""
