"""Real services with one fault each, and what their incidents say of it."""
