"""The parts of an incident as OTLP: spans, log records, attributes."""
