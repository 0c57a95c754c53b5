"""Read off other threads and tasks what they are doing, and what they wait for.

Only from the ticker's thread, and only of the few that are worth it: see the two sources.
"""
