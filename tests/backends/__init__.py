"""The real Jaeger, Tempo and Collector: how they are built here, and how a test runs them."""
