"""What the kernel tells about the process, its threads and its container."""
