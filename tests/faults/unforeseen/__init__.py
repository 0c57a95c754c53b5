"""Faults that were thought up before the rules that find them, and without a rule in mind."""
