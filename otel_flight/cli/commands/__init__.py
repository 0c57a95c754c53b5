"""One command a file or folder."""
