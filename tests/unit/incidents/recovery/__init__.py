"""Tests of what is made of dead processes' rings."""
