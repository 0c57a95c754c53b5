"""A firing that passed the gate, turned into one file that explains what happened."""
