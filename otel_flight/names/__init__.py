"""Every name that is written in one place and looked for in another."""
