"""What can be set, where settings come from, and which are in force."""
