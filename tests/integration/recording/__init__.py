"""What an installed recorder keeps, hides, and fires for."""
