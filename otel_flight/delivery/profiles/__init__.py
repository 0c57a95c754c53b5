"""The stack samples of an incident as OTLP profiles."""
