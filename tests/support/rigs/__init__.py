"""Parts of a recorder by themselves, each with what it needs and without the rest."""
