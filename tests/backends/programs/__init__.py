"""Instrumented programs whose incidents the tests look for in a backend."""
