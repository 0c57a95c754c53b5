"""`otel-flight serve`: the spool as a page of this machine."""
