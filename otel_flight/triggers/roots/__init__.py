"""How long local roots and other spans may be open, and how long they are."""
