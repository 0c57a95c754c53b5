"""How much of a request's time passed while the process, or all of its Python, stood still."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from otel_flight.incidents.evidence.pauses import Pause, find_pauses
from otel_flight.incidents.evidence.view import EvidenceView
from otel_flight.incidents.window import WindowSpan

LEAST_SHARE: Final = 0.3
"""Of the request's time; below that, something else made it slow."""
_KIND_CLIENT: Final = 2
_GOES_ON_SHARE: Final = 0.1
_GOES_ON_NS: Final = 10_000_000
"""A call to another service that ends later than this, or that share of the pause, after the pause
would have taken as long without it."""


def slow_request(view: EvidenceView) -> WindowSpan | None:
    """Return the request whose time is to be explained; None when slowness is not the matter."""
    if view.slow is not None and view.slow.duration_ns > 0:
        return view.slow
    return None


def pauses_of(view: EvidenceView, request: WindowSpan, names: Iterable[str]) -> Sequence[Pause]:
    """Return the pauses of these names that held up a request, by start.

    Those within a call to another service that went on waiting afterwards did not.
    """
    wanted = frozenset(names)
    return [
        pause
        for pause in find_pauses(view)
        if pause.event.record.name in wanted
        and _overlap(pause, request) > 0
        and not _is_waited_out(view, pause)
    ]


def covered_ns(pauses: Iterable[Pause], request: WindowSpan) -> int:
    """Return how many nanoseconds of a request's time passed in pauses."""
    covered, reached = 0, request.record.start_ns
    for pause in sorted(pauses, key=lambda each: each.event.record.start_ns):
        start = max(reached, pause.event.record.start_ns)
        end = min(pause.event.record.end_ns, request.record.end_ns)
        if end > start:
            covered += end - start
            reached = end
    return covered


def _overlap(pause: Pause, request: WindowSpan) -> int:
    record = pause.event.record
    start = max(record.start_ns, request.record.start_ns)
    return min(record.end_ns, request.record.end_ns) - start


def _is_waited_out(view: EvidenceView, pause: Pause) -> bool:
    record = pause.event.record
    margin_ns = max(_GOES_ON_NS, _GOES_ON_SHARE * record.duration_ns)
    for span in (pause.interrupted, *view.ancestors(pause.interrupted)):
        is_around = span.record.start_ns <= record.start_ns
        if span.record.kind == _KIND_CLIENT and is_around:
            return span.record.end_ns > record.end_ns + margin_ns
    return False
