"""OTLP requests written as protobuf bytes, without an object for each span."""
