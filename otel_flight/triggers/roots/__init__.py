"""How long local roots may take, for the triggers that look at ended and at open ones."""
