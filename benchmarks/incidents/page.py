"""The page of a full window in a real browser: its size, its first paint, how smoothly it zooms.

Needs Chromium and Playwright, as the tests of the page do; without them only the size is told.
"""

from __future__ import annotations

import random
import tempfile
import uuid
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from opentelemetry.trace import SpanKind

from benchmarks.measuring.figures import Budget, Figure, Result
from otel_flight.incidents.incident import Incident
from otel_flight.words import size
from tests.page.chromium import NoBrowserError, running_chromium
from tests.page.incidents import page_of
from tests.support.incidents.incident_builder import IncidentBuilder

_WINDOW_BYTES = 16 * 1024**2
_SPANS, _SMOKE_SPANS = 45_000, 500
_SPANS_A_REQUEST = 11
_ROUTES = ("GET /items", "GET /items/{sku}", "POST /orders", "GET /users/{id}", "PUT /cart")
_CALLS = ("SELECT items", "cache get", "render", "GET inventory")
_QUERY = "SELECT id, name, price, stock FROM items WHERE id = ? ORDER BY name LIMIT 20"
_ZOOM = """async () => {
  const view = page.view, frames = [];
  view.reset();
  let last = await new Promise(requestAnimationFrame);
  for (let frame = 0; frame < 180; frame++) {
    view.zoom(frame < 90 ? 0.92 : 1 / 0.92, view.axis[1] * 0.3);
    const now = await new Promise(requestAnimationFrame);
    frames.push(now - last);
    last = now;
  }
  return frames;
}"""


def run(*, smoke: bool) -> Result:
    """Write the page of a window that is full, and open it."""
    with tempfile.TemporaryDirectory() as directory:
        incident = _incident(Path(directory) / "ring", _SMOKE_SPANS if smoke else _SPANS)
        started = perf_counter()
        page = page_of(incident)
        seconds = perf_counter() - started
        file = Path(directory) / "incident.html"
        file.write_bytes(page)
        figures = [
            _figure("size", len(page) / 1e6, "MB", Budget(limit=5)),
            _figure("time to write", seconds, "s"),
        ]
        manifest = incident.manifest
        notes = [f"{manifest.spans} spans in {size(manifest.window_bytes)}"]
        try:
            figures += _in_browser(file.as_uri())
        except NoBrowserError as error:
            notes.append(str(error))
    return Result(benchmark="page", figures=figures, notes=notes)


def _figure(quantity: str, value: float, unit: str, budget: Budget | None = None) -> Figure:
    return Figure(quantity=quantity, variant="full window", value=value, unit=unit, budget=budget)


def _in_browser(url: str) -> list[Figure]:
    with running_chromium() as browser:
        page: Any = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.goto(url)
        page.wait_for_selector("html[data-ready=true]")
        ready = page.evaluate("performance.now()")
        paint = page.evaluate("performance.getEntriesByType('paint')[0].startTime")
        frames = sorted(page.evaluate(_ZOOM))
    return [
        _figure("first paint", paint / 1e3, "s", Budget(limit=1)),
        _figure("all of it is there", ready / 1e3, "s"),
        _figure("frames while zooming", 1000 * len(frames) / sum(frames), "1/s"),
        _figure("frame while zooming, median", median(frames), "ms", Budget(limit=17)),
        _figure("frame while zooming, 95 %", frames[int(0.95 * len(frames))], "ms"),
    ]


def _incident(ring_directory: Path, spans: int) -> Incident:
    """Return an incident with so many spans; a third of their values are there once."""
    dice = random.Random(1)
    with IncidentBuilder(ring_directory, window_bytes=_WINDOW_BYTES) as builder:
        now = 0.0
        for _ in range(spans // _SPANS_A_REQUEST):
            now += dice.expovariate(1 / 8)
            _request(builder, now, dice)
        root = builder.open("GET /report", now - 2_000)
        builder.span("query", now - 1_990, now - 100, root)
        builder.end(root, now)
        return builder.incident(builder.slow(root, now), closed_ms=now + 2_000)


def _request(builder: IncidentBuilder, start_ms: float, dice: random.Random) -> None:
    attributes = {
        "http.request.method": "GET",
        "http.route": "/items/{sku}",
        "http.response.status_code": 200,
        "url.path": f"/items/{dice.randrange(10**6)}",
        "client.address": f"10.0.{dice.randrange(255)}.{dice.randrange(255)}",
        "user.id": uuid.UUID(int=dice.getrandbits(128)).hex,
        "user_agent.original": "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0",
    }
    root = builder.open(dice.choice(_ROUTES), start_ms, kind=SpanKind.SERVER, attributes=attributes)
    now = start_ms
    for _ in range(_SPANS_A_REQUEST - 1):
        called = {
            "db.system.name": "postgresql",
            "db.query.text": _QUERY,
            "db.operation.id": uuid.UUID(int=dice.getrandbits(128)).hex,
            "server.address": "db-1",
            "server.port": 5432,
            "db.rows": dice.randrange(10**4),
            "cache.key": f"item:{dice.randrange(10**7)}",
        }
        call = builder.open(dice.choice(_CALLS), now, root, attributes=called)
        now += dice.expovariate(1 / 4)
        builder.end(call, now)
    builder.end(root, now + 1)
