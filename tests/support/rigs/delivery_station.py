"""A spool that is delivered to a backend of the test's own."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from otel_flight.assembly import Settings
from otel_flight.ground.backoff import Backoff
from otel_flight.ground.deadline import Deadline
from otel_flight.ground.guard import Guard
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.spool.directory import SpoolEntry
from otel_flight.incidents.spool.spool import Spool
from otel_flight.settings.fields import CoreSettings
from tests.support.incidents.rig_incidents import incident_of
from tests.support.rigs.deliverer import Deliverer
from tests.support.rigs.recording_rig import RecordingRig

SECONDS = 10.0


class Backend(SpanExporter):
    """An exporter that does what the test says, and remembers what it was given."""

    def __init__(self) -> None:
        self.names: list[list[str]] = []
        self.suppressed: list[bool] = []
        self.is_down = False
        self.refused_name = ""
        self.on_export: Callable[[], None] = lambda: None
        self.shutdowns = 0

    def build(self, settings: CoreSettings, timeout_seconds: float | None) -> SpanExporter:
        """Stand for `build_exporter`."""
        self.timeout_seconds = timeout_seconds
        return self

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Take in a chunk."""
        names = [span.name for span in spans]
        self.suppressed.append(bool(otel_context.get_value("suppress_instrumentation")))
        self.on_export()
        if self.is_down or self.refused_name in names:
            return SpanExportResult.FAILURE
        self.names.append(names)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Count it."""
        self.shutdowns += 1


class Station:
    """A spool, a backend, and what delivers from the one to the other."""

    def __init__(self, rig: RecordingRig, directory: Path, **settings: Any) -> None:
        self.rig = rig
        self.spool = Spool(directory, 1 << 30, 100)
        self.backend = Backend()
        self.guard = Guard()
        self.settings = Settings(**{"endpoint": "http://backend:1", **settings})
        self.use(self.backend.build)

    def use(
        self,
        build: Callable[[CoreSettings, float | None], SpanExporter],
        least_wait_seconds: float = 3600.0,
    ) -> None:
        """Deliver with these exporters; after a failure, wait very long unless told otherwise."""
        deliverer = Deliverer(
            self.spool,
            self.settings,
            self.guard,
            build=build,
            backoff=Backoff(lambda low, high: least_wait_seconds),
        )
        self.delivery, self.worker = deliverer.spans, deliverer.worker

    def incident(self, number: int, *names: str) -> Incident:
        """Return an incident of new spans with these names."""
        first = sum(segment.records for segment in self.rig.ring.image.segments(0))
        for name in names:
            self.rig.tracer.start_span(name).end()
        watermark = {"0": first} if names else {"0": 1 << 40}
        return incident_of(
            self.rig, incident_id=f"20260101-10000{number}-aaaaaa", exported_to=watermark
        )

    def add(self, number: int, *names: str) -> SpoolEntry:
        """Put an incident into the spool as earlier processes would, one after the other."""
        entry = Spool(self.spool.directory, 1 << 30, 100).add(self.incident(number, *names))
        os.utime(entry.path, ns=(number * 10**9, number * 10**9))
        return self.spool.find(entry.incident_id)

    def writing(self, incident: Incident) -> Callable[[], None]:
        """Return the job that writes an incident."""

        def write() -> None:
            self.spool.add(incident)

        return write

    def deliver(self) -> None:
        """Look into the spool, and wait until everything that can be done was done."""
        self.worker.wake()
        assert self.worker.wait_idle(Deadline.after(SECONDS))

    def state(self, entry: SpoolEntry) -> Any:
        """Return how far an incident is."""
        return self.spool.find(entry.incident_id).state

    def roots(self) -> list[str]:
        """Return the names of the application's spans in the order they arrived."""
        return [
            name
            for names in self.backend.names
            for name in names
            if not name.startswith("incident")
        ]
