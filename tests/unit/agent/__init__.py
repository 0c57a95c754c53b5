"""Tests of the agent, module by module."""
