"""Says in the ring what becomes of each incident, so that a killed process's can be finished.

The runtime lane drops its oldest segment when it is full: until an incident is written, what is
said of it is repeated in each new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from otel_flight.ground.clock import Clock, ClockPair
from otel_flight.incidents.manifest import Cause
from otel_flight.recording.encoding.record_limit import encode_within
from otel_flight.recording.session import RecordingSession
from otel_flight.records.incident_records import (
    CLOSED,
    DELIVERED,
    WRITTEN,
    IncidentOpened,
    IncidentState,
)
from otel_flight.ring.layout import L_SEQUENCE, LANE_RUNTIME, LANES, lane_word

_RECORD_BYTES: Final = 16 * 1024
"""What is said of an incident takes at most this many bytes: then its causes' texts are cut, and
beyond that its causes are left out, all but the first."""

_encode: Final = msgspec.msgpack.Encoder().encode


class IncidentJournal:
    """The records of a session's incidents. Ticker only, or who ends it, but for `opened`."""

    def __init__(self, session: RecordingSession, clock: Clock) -> None:
        self._session = session
        self._clock = clock
        self._unwritten: dict[str, list[bytes]] = {}
        self._sequence = 0

    def opened(
        self,
        incident_id: str,
        moment: ClockPair,
        causes: Iterable[Cause],
        *,
        first_records: Mapping[int, int],
        exported_to: Mapping[int, int],
        previous_id: str,
    ) -> None:
        """Say that an incident is open, and why; also when another cause joined it. Any thread."""
        record = IncidentOpened(
            incident_id=incident_id,
            opened_ns=moment.wall_ns,
            opened_monotonic_ns=moment.monotonic_ns,
            first_records=tuple(first_records.get(lane, 0) for lane in LANES),
            exported_to=tuple(exported_to.get(lane, 0) for lane in LANES),
            previous_incident_id=previous_id,
            causes=tuple(map(msgspec.structs.asdict, causes)),
        )
        data = encode_within(record, _RECORD_BYTES)[0]
        if len(data) > _RECORD_BYTES:
            record = msgspec.structs.replace(record, causes=record.causes[:1])
            data = encode_within(record, _RECORD_BYTES)[0]
        self._unwritten[incident_id] = [data]
        self._append(data)

    def note(self, incident_id: str, state: int) -> None:
        """Say that an incident is in another state, one of those of `IncidentState`."""
        data: bytes = _encode(IncidentState(incident_id, state, self._clock.wall_ns()))
        if state in (WRITTEN, DELIVERED):
            self._unwritten.pop(incident_id, None)
        elif state == CLOSED and incident_id in self._unwritten:
            self._unwritten[incident_id].append(data)
        self._append(data)

    def repeat(self) -> None:
        """Say again what is not written, if the lane has gone on to another segment."""
        ring = self._session.ring
        if ring is None:
            return
        sequence = ring.image.word(lane_word(LANE_RUNTIME, L_SEQUENCE))
        if sequence == self._sequence:
            return
        self._sequence = sequence
        for records in list(self._unwritten.values()):
            for data in records:
                self._append(data)

    def _append(self, data: bytes) -> None:
        self._session.lanes[LANE_RUNTIME].append(data, 0)
