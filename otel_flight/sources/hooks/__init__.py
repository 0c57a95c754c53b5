"""What sources put into the process, and what they share to describe what they are shown."""
