"""What several tests and the benchmarks share: a real OTLP receiver and real service processes."""
