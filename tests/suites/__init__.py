"""Other projects' own tests, run with and without the recorder: `make suites`."""
