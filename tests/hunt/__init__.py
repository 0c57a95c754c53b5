"""The crash hunt: programs that do what has hurt before, and a recorder that looks all the time."""
