"""Real processes: programs, services, a limit on their memory, and requests to them."""
