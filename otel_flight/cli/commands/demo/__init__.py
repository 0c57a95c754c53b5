"""`otel-flight demo`: a real service, real load, a slow and a failing request, and what is kept."""
