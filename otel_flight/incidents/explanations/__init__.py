"""What an incident's file puts into the trigger's own trace, so that the trace explains itself."""
