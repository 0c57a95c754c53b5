"""Real servers with the recorder in them, each beside a run without it."""
