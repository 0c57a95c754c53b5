"""What the time of a slow request went into."""
