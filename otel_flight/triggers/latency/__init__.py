"""How long local roots normally take, by their name, and what is slow for each of them."""
