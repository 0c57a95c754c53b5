"""Tests of reports as Markdown."""
