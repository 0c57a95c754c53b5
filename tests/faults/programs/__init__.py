"""One small service or script a fault; each runs without its fault too, see `switch`."""
