"""Makes the most of the moments between SIGTERM and an end that the program makes itself."""

from __future__ import annotations

from typing import Final

from otel_flight.ground.clock import Clock
from otel_flight.incidents.making.lifecycle import IncidentLifecycle
from otel_flight.recording.session import RecordingSession
from otel_flight.ring.layout import UNNOTICED
from otel_flight.ring.ring import Ring
from otel_flight.running.ends.termination import TERMINATION

_MOMENTS_NS: Final = 5_000_000_000
"""Incidents have no tail for so many nanoseconds after SIGTERM: the process may end at any time."""


class EndWatch:
    """Notes in the ring that the process was told to end, and closes what is open. On each tick."""

    def __init__(
        self, session: RecordingSession, incidents: IncidentLifecycle, clock: Clock
    ) -> None:
        self._session = session
        self._incidents = incidents
        self._clock = clock
        self._noted_in: Ring | None = None
        self._is_unnoticed = False

    def look(self) -> None:
        """See whether SIGTERM came, whoever handles it."""
        ring = self._session.ring
        if ring is None:
            return
        if ring is not self._noted_in and TERMINATION.note_in(ring.backing.descriptor):
            self._noted_in = ring
        last_ns = TERMINATION.look()
        if last_ns or self._is_unnoticed:  # it may be noticed from now on
            ring.note_termination(last_ns)
        self._is_unnoticed = last_ns == UNNOTICED
        if last_ns > UNNOTICED and self._clock.wall_ns() - last_ns < _MOMENTS_NS:
            self._incidents.close_now()
