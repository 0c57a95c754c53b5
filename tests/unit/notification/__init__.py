"""Tests of what tells someone of an incident."""
