"""Which firings become incidents."""
