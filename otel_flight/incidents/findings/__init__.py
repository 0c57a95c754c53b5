"""Small rules over a finished incident, one a file: each says one thing that was seen."""
