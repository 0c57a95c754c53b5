"""One file for each kind of host: how it is started, what is asked, what is expected."""
