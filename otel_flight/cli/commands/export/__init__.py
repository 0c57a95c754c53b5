"""`otel-flight export`: incidents to a backend, or to files of OTLP-JSON."""
