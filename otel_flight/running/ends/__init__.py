"""The ends of a process: what is done at them, in a forked child, and at a fatal signal."""
