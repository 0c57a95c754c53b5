"""Which log records of an incident go out as OTLP logs, in which order, and in which portions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from otel_flight.delivery.chunks import Chunk
from otel_flight.delivery.otlp.logs import LogBuilder
from otel_flight.delivery.pacing import Pacer
from otel_flight.ground.guard import Guard
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.window import WindowEvent
from otel_flight.names import event_names
from otel_flight.ring.layout import LANE_RUNTIME

MOST_RECORDS: Final = 64
"""One request has at most this many records: the official encoder lets no other thread run while it
puts one together. Even the longest messages stay below what receivers take."""


class LogChunks:
    """The log records of one incident in portions, oldest first; the same ones each time.

    Records that an earlier incident of the same process has are left out.

    Args:
        incident: the incident.
        pacer: yields the GIL in between.
        guard: notes records that cannot be built; the others go out.
        is_standalone: whether the result stands alone, as a file does: nothing is left out.
    """

    def __init__(
        self, incident: Incident, pacer: Pacer, guard: Guard, *, is_standalone: bool = False
    ) -> None:
        self._incident = incident
        self._pacer = pacer
        self._guard = guard
        self._builder = LogBuilder(incident.manifest)
        exported_to = {} if is_standalone else incident.manifest.exported_to
        self._first_record = exported_to.get(str(LANE_RUNTIME), 0)

    def __iter__(self) -> Iterator[Chunk[Any]]:
        portion: list[WindowEvent] = []
        for event in self._incident.window.events():
            if event.record.name == event_names.LOG_RECORD and event.number >= self._first_record:
                portion.append(event)
            if len(portion) == MOST_RECORDS:
                yield Chunk(self._built, portion, self._pacer)
                portion = []
            self._pacer.yield_in_time()
        if portion:
            yield Chunk(self._built, portion, self._pacer)

    def _built(self, event: WindowEvent) -> Any:
        try:
            return self._builder.build(event)
        except Exception as error:  # noqa: BLE001  (one odd record must not hold up the others)
            self._guard.note("build log record", error)
            return None
