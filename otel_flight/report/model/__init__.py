"""An incident as a person reads it, whatever it is shown on."""
