"""Rules that say where the time went: true whatever the cause was."""
