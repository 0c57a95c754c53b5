"""A real Collector, Jaeger and Tempo as processes, and what their query APIs answer."""
