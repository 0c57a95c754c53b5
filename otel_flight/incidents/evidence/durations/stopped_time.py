"""How much of a slow request's time passed while the process, or all of its Python, was stopped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from otel_flight.ground.intervals import overlap_ns, union_ns
from otel_flight.incidents.evidence.durations.pauses import Pause, find_pauses
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.window import KIND_CLIENT, WindowSpan

LEAST_SHARE: Final = 0.3
"""Pauses that take a smaller part of the request's time are not what made it slow."""
_GOES_ON_SHARE: Final = 0.1
_GOES_ON_NS: Final = 10_000_000
"""A call to another service that ends later than a pause by more than this many nanoseconds, and by
more than that part of the pause, would have taken as long without it."""


def slow_request(evidence: Evidence) -> WindowSpan | None:
    """Return the request whose time is to be explained; None when slowness is not the matter."""
    slow = evidence.slow
    return slow if slow is not None and slow.duration_ns > 0 else None


def pauses_of(evidence: Evidence, request: WindowSpan, name: str) -> Sequence[Pause]:
    """Return the pauses of this name that held up a request, by start.

    Those within a call to another service that went on waiting afterwards did not.
    """
    return [
        pause
        for pause in find_pauses(evidence)
        if pause.event.name == name
        and overlap_ns(pause.event, request) > 0
        and not _is_waited_out(evidence, pause)
    ]


def stopped_ns(pauses: Iterable[Pause], request: WindowSpan) -> int:
    """Return how many nanoseconds of a request's time passed in pauses."""
    return union_ns((pause.event for pause in pauses), request)


def _is_waited_out(evidence: Evidence, pause: Pause) -> bool:
    event = pause.event
    margin_ns = max(_GOES_ON_NS, _GOES_ON_SHARE * event.duration_ns)
    for span in (pause.interrupted, *evidence.trace.ancestors(pause.interrupted)):
        if span.record.kind == KIND_CLIENT and span.start_ns <= event.start_ns:
            return span.end_ns > event.end_ns + margin_ns
    return False
