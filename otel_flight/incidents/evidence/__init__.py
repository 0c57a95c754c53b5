"""What the rules look at: the records of an incident, gathered and put together."""
