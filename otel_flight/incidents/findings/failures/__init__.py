"""Rules that say why something failed."""
