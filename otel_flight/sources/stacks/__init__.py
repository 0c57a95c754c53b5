"""What the threads and tasks of a process are doing, as their stacks show it."""
