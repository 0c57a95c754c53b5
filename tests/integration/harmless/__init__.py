"""The program, its pipeline and its libraries do what they do without the recorder."""
