"""What a run takes over from the processes before it, and looks after beside it."""
