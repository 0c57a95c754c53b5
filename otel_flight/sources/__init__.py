"""What else happens in the process, one source a file: each writes events into the runtime lane."""
