"""What is usual: good requests of the same kind, and earlier calls of the same name."""
