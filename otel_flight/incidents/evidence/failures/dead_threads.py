"""The threads that exceptions ended before something was slow or failed."""

from __future__ import annotations

from collections.abc import Sequence

from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.failures.unhandled import unhandled_events
from otel_flight.incidents.window import WindowEvent
from otel_flight.names import exception_attributes as names


def deaths_of_threads(evidence: Evidence) -> Sequence[WindowEvent]:
    """Return the deaths before the trigger, by time.

    None where requests like the trigger's have gone well since the last: those did not need it.
    """
    fired = evidence.manifest.fired_ns
    deaths = [
        event for event in unhandled_events(evidence, names.THREAD) if event.start_ns <= fired
    ]
    return () if deaths and _has_gone_well_since(evidence, deaths[-1].start_ns) else deaths


def _has_gone_well_since(evidence: Evidence, died_ns: int) -> bool:
    """Tell whether a request of the trigger's name began after a death and was soon over."""
    if evidence.trigger is None:
        return False
    own = evidence.trace.local_root(evidence.trigger)
    return any(
        root.name == own.name
        and root.start_ns > died_ns
        and root.end_ns <= own.start_ns
        and not root.is_error
        and not root.is_open
        and root.duration_ns * 2 < own.duration_ns
        for root in evidence.roots
        if root.span_id != own.record.span_id
    )
