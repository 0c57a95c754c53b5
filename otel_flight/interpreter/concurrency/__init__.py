"""Who takes turns in a thread: tasks of event loops, what they await, and greenlets."""
