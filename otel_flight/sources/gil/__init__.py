"""How late a thread was woken, and which thread had the GIL meanwhile."""
