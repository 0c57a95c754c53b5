"""Gives each test an environment of its own, and fails one that leaves something behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis.strategies import none

from otel_flight.ground.native import running
from tests.global_hooks import capture_hooks, hook_changes, mapped_files

# A slow moment of a shared machine is no finding; on CI the same examples run every time.
settings.register_profile("project", deadline=None, derandomize="CI" in os.environ)
settings.register_profile("many", deadline=None, max_examples=100_000)
settings.load_profile("project")


@pytest.fixture(autouse=True, scope="session")
def warm_hypothesis() -> None:
    """Let hypothesis hook into garbage collection, which it does with its first example.

    In a test it would be blamed for leaving a hook behind.
    """
    given(none())(lambda _: None)()


@pytest.fixture(autouse=True)
def own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Take away every OTEL_* variable, point ring and spool into `tmp_path`, and log no incidents.

    Returns the ring directory, which a recorder makes itself; the spool's is `spool` beside it.
    """
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    ring_directory = tmp_path / "ring"
    monkeypatch.setenv("OTEL_FLIGHT_RING_DIRECTORY", str(ring_directory))
    monkeypatch.setenv("OTEL_FLIGHT_SPOOL_DIRECTORY", str(tmp_path / "spool"))
    # What a program prints is looked at by tests that are about something else than this record.
    monkeypatch.setenv("OTEL_FLIGHT_INCIDENT_LOG", "off")
    return ring_directory


@pytest.fixture(autouse=True)
def clean_global_hooks(own_environment: Path, warm_hypothesis: None) -> Iterator[None]:
    """Fail a test that finds, or leaves behind, a hook, a thread of ours or an open ring."""
    before = capture_hooks()
    assert before.our_threads == (), "an earlier test left threads running"
    assert before.otel_context == {}, "an earlier test left a span current"

    yield

    for thread in running():
        if thread.name.endswith("stand-in"):  # of a slow worker, for which nobody waits
            thread.join(20.0)
    assert hook_changes(before, capture_hooks()) == []
    assert mapped_files(own_environment) == [], "a ring of this test is still open"
