"""The agent: a process of its own that recovers and delivers what the services leave."""
