"""An incident in a terminal."""
