"""Incidents in a real Jaeger, a real Tempo, and on their way through a real Collector."""
