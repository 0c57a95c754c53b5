"""The thread that does what takes long, and what it does for the processes of a host.

It is in each process that records, and in the agent, which does the same for all of them.
"""
