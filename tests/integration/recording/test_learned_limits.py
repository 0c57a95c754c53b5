"""A service learns what is normal for each of its requests, and its next process knows it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

import otel_flight
from otel_flight.incidents.flight_file import read_incident
from otel_flight.triggers.latency.knowledge import FILE_NAME
from tests.support.incidents.command_line import run

QUIET: dict[str, Any] = {"tail_seconds": 0, "export": "off", "tick_seconds": 0.01}
WELL_ABOVE = 0.25


class Shop:
    """A service with one slow and one fast endpoint."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        resource = Resource({"service.name": "shop"})
        self.provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        recorder = otel_flight.install(
            tracer_provider=self.provider, spool_directory=directory, **QUIET | settings
        )
        assert recorder is not None
        self.recorder = recorder
        self.tracer = self.provider.get_tracer("test")

    def serve(self, name: str, seconds: float, times: int = 1) -> None:
        """Answer requests."""
        for number in range(times):
            with self.tracer.start_as_current_span(f"{name}/{1000 + number}"):
                time.sleep(seconds)

    def stop(self) -> dict[tuple[str, str], int]:
        """End the process; return what fired."""
        self.recorder.stop()
        fired = self.recorder.statistics().firings
        otel_flight.uninstall()
        return dict(fired)


LEARNS = {"slow_root_floor_seconds": 0.1, "slow_open_root": False}


@pytest.mark.parametrize("light_spans", ["auto", "off"])
def test_a_fast_request_that_is_slow_fires_and_a_slow_one_does_not(
    tmp_path: Path, light_spans: str
) -> None:
    """Both take the same time then, and less than the fixed limit."""
    shop = Shop(tmp_path, light_spans=light_spans, **LEARNS)
    shop.serve("GET /item", 0.001, 30)
    shop.serve("GET /report", 0.08, 25)
    time.sleep(0.1)

    shop.serve("GET /report", WELL_ABOVE - 0.05)
    shop.serve("GET /item", WELL_ABOVE)

    assert shop.stop() == {("slow_root", "opened"): 1}
    (path,) = tmp_path.glob("*.flight")
    (cause,) = read_incident(path).manifest.causes
    assert cause.subject == "GET /item/1000"
    attributes = dict(cause.attributes)
    assert attributes["flight_recorder.limit_ns"] >= 100_000_000
    assert attributes["flight_recorder.usual_ns"] < 100_000_000
    shown = run("show", str(path)).output
    assert "of those before took at most" in shown


def test_the_next_process_knows_it(tmp_path: Path) -> None:
    """Its first slow request is one; so is the command told."""
    shop = Shop(tmp_path, **LEARNS)
    shop.serve("GET /item", 0.001, 30)
    assert shop.stop() == {}
    assert (tmp_path / FILE_NAME).exists()

    (limit,) = json.loads(run("limits", "--json", "--spool-directory", str(tmp_path)).output)
    assert (limit["service"], limit["name"], limit["seen"]) == ("shop", "GET /item/{id}", 30)
    assert (limit["limit_ns"], limit["source"]) == (500_000_000, "learned")

    shop = Shop(tmp_path, **LEARNS)
    shop.serve("GET /", 0.001)
    time.sleep(0.3)
    shop.serve("GET /item", WELL_ABOVE)
    assert shop.stop() == {("slow_root", "opened"): 1}


@pytest.mark.parametrize("limit", [{"slow_root_seconds": 1}, {"slow_root_routes": "GET *=1s"}])
def test_a_limit_that_is_set_stays_exactly_that(tmp_path: Path, limit: dict[str, Any]) -> None:
    """It is a promise."""
    shop = Shop(tmp_path, **LEARNS | limit)
    shop.serve("GET /item", 0.001, 30)
    shop.serve("GET /item", WELL_ABOVE)

    assert shop.stop() == {}
