"""Tests that let the clock jump."""

from __future__ import annotations

import datetime

from freezegun import freeze_time
from opentelemetry import trace

tracer = trace.get_tracer("clock")


def test_a_jumping_clock() -> None:
    """Time goes by leaps, and no span is slow for that."""
    with freeze_time("2012-01-14") as clock, tracer.start_as_current_span("jumping"):
        clock.tick(3600)
        assert datetime.date.today() == datetime.date(2012, 1, 14)  # noqa: DTZ011
