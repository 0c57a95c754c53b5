"""Several processes: forks, children, an incident of their host, the agent beside them."""
