"""What is private to the SDK: the fields of its spans, and its span processors."""
