"""Rules that say what made something slow: what did it, held it up, or was not to be had."""
