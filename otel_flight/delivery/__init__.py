"""An incident file turned into OTLP and delivered through the official exporters."""
