"""What a recorder says before it records."""

from __future__ import annotations

import logging
import sys

import pytest

from otel_flight import FlightRecorder


def test_another_system_than_linux_is_warned_of_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What is missing there looks as if nothing had happened."""
    monkeypatch.setattr(sys, "platform", "darwin")

    with caplog.at_level(logging.WARNING, "otel_flight"):
        FlightRecorder()
        FlightRecorder()

    assert [each.message.partition(":")[0] for each in caplog.records] == ["this is not Linux"]
