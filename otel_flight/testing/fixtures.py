"""Fixtures for pytest, loaded by choice: `pytest_plugins = ["otel_flight.testing.fixtures"]`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from otel_flight.testing.flight_recording import FlightRecording, flight_recording


@pytest.fixture
def flight_options() -> dict[str, Any]:
    """Return the arguments of `flight_recording`; to be overridden by a fixture of this name."""
    return {}


@pytest.fixture
def flight(flight_options: dict[str, Any]) -> Iterator[FlightRecording]:
    """Record what happens in one test."""
    with flight_recording(**flight_options) as recording:
        yield recording
