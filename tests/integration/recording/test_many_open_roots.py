"""A program that opens requests and ends none: each incident is written nonetheless."""

from __future__ import annotations

import time
from pathlib import Path

from opentelemetry.sdk.trace import TracerProvider

import otel_flight
from otel_flight.incidents.flight_file import read_incident

ROOTS = 100_000
KNOWN = 2_000
INCIDENTS = 2


def test_a_hundred_thousand_open_roots(tmp_path: Path) -> None:
    """Those opened first are given up; no incident fails, and each has requests that are open."""
    provider = TracerProvider(shutdown_on_exit=False)
    recorder = otel_flight.install(
        tracer_provider=provider,
        ring_directory=tmp_path / "ring",
        spool_directory=tmp_path / "spool",
        open_spans=KNOWN,
        export="off",
        tail_seconds=0,
        cooldown_seconds=0,
        shutdown_seconds=60,
    )
    recorder.start()
    tracer = provider.get_tracer("shop")

    roots = []
    for number in range(INCIDENTS):
        roots += [tracer.start_span(f"request {each % 100}") for each in range(ROOTS // INCIDENTS)]
        recorder.trigger(f"odd {number}")
        while recorder.statistics().incidents_written <= number:
            assert recorder.statistics().incidents_failed == 0
            time.sleep(0.01)
    recorder.stop()

    statistics = recorder.statistics()
    assert statistics.incidents_failed == 0
    assert statistics.errors == ()
    assert statistics.open_spans_evicted >= ROOTS - KNOWN
    incidents = [read_incident(path) for path in (tmp_path / "spool").glob("*.flight")]
    assert len(incidents) == INCIDENTS
    assert all(len(list(each.window.unfinished())) >= KNOWN / 10 for each in incidents)
    otel_flight.uninstall()
