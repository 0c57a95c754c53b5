"""How an incident is made: opened, completed, frozen and written, in a process that lives."""
