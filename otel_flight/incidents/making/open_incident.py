"""An incident that is open: its window was frozen, its tail is still coming in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from otel_flight.ground.clock import ClockPair
from otel_flight.incidents.frozen_window import FrozenWindow
from otel_flight.incidents.manifest import Cause, Refused
from otel_flight.names.sent_attributes import PROCESS_ID
from otel_flight.records.ids import span_text, trace_text
from otel_flight.triggers.gate.firing import Firing
from otel_flight.triggers.gate.refusals import Refusals
from otel_flight.triggers.gate.severity import Severity
from otel_flight.triggers.gate.state import JoinedCause

_MAX_CAUSES: Final = 32
"""An incident has at most this many causes; further ones are counted by the gate alone."""


@dataclass
class OpenIncident:
    """An incident from its first firing to the end of its tail. Ticker only."""

    incident_id: str
    opened: ClockPair
    window: FrozenWindow
    refused: Refusals | None = None
    _causes: dict[tuple[str, ...], tuple[Firing, int]] = field(default_factory=dict)

    def add_cause(self, firing: Firing) -> bool:
        """Add a firing; return whether its cause is new, and not only counted as a repeat."""
        known = self._causes.get(firing.fingerprint)
        if known is not None:
            self._causes[firing.fingerprint] = (known[0], known[1] + 1)
        elif len(self._causes) < _MAX_CAUSES:
            self._causes[firing.fingerprint] = (firing, 0)
            return True
        return False

    def refused_before(self) -> Refused:
        """Return what was refused before it, as the manifest states it."""
        known = self.refused
        return Refused() if known is None else Refused(firings=known.firings, causes=known.causes)

    def causes(self) -> list[Cause]:
        """Return the causes, the worst first, one with a trace before others as bad as it is."""
        found = sorted(self._causes.values(), key=_rank)  # stable: else in the order they came
        return [as_cause(firing, repeats) for firing, repeats in found]


def _rank(cause: tuple[Firing, int]) -> tuple[Severity, bool]:
    firing, _ = cause
    return firing.severity, not firing.trace_id


def causes_elsewhere(joined: Iterable[JoinedCause]) -> list[Cause]:
    """Return what joined in other processes, the worst first, each with the id of its process."""
    causes = []
    for each in sorted(joined, key=lambda each: each.firing.severity):
        cause = as_cause(each.original(), each.repeats)
        attributes = {**cause.attributes, PROCESS_ID: each.pid}
        causes.append(msgspec.structs.replace(cause, attributes=attributes))
    return causes


def as_cause(firing: Firing, repeats: int = 0) -> Cause:
    """Return a firing as the manifest states it."""
    return Cause(
        trigger=firing.trigger,
        reason=firing.reason,
        subject=firing.subject,
        origin=firing.origin,
        time_ns=firing.time_ns,
        trace_id=trace_text(firing.trace_id),
        span_id=span_text(firing.span_id),
        attributes=firing.attributes,
        repeats=repeats,
    )
