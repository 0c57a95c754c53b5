"""What happens to each service, and what its faults are called."""
