"""`otel-flight mcp`: incidents for an assistant, which asks for what it wants to see."""
