"""Services in which ordinary things happen, and faults when they are asked for."""
