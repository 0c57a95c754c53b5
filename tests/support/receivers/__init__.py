"""Receivers that stand in for a backend, what they are sent, and what stands before them."""
