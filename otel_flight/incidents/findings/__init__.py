"""Small rules over a finished incident, one a file: each says one thing that was seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from otel_flight.guard import Guard
from otel_flight.incidents.evidence.view import ERROR_TRIGGERS, EvidenceView, Rule, rule_name
from otel_flight.incidents.findings.causes.cpu_starved import find_cpu_starved
from otel_flight.incidents.findings.causes.event_loop_blocked import find_event_loop_blocked
from otel_flight.incidents.findings.causes.gc_pause import find_gc_pause
from otel_flight.incidents.findings.causes.gil_held import find_gil_held
from otel_flight.incidents.findings.causes.lock_wait import find_lock_wait
from otel_flight.incidents.findings.causes.memory_growth import find_memory_growth
from otel_flight.incidents.findings.causes.pool_exhausted import find_pool_exhausted
from otel_flight.incidents.findings.causes.repeated_child import find_repeated_child
from otel_flight.incidents.findings.causes.retries import find_retries
from otel_flight.incidents.findings.causes.slow_downstream import find_slow_downstream
from otel_flight.incidents.findings.circumstances.ended_together import find_ended_together
from otel_flight.incidents.findings.circumstances.requests_in_flight import find_requests_in_flight
from otel_flight.incidents.findings.circumstances.unfinished import find_unfinished
from otel_flight.incidents.findings.failures.cancelled_from_above import find_cancelled_from_above
from otel_flight.incidents.findings.failures.error_origin import find_error_origin
from otel_flight.incidents.findings.failures.logged import find_logged
from otel_flight.incidents.findings.failures.swallowed_exception import find_swallowed_exception
from otel_flight.incidents.findings.failures.thread_died import find_thread_died
from otel_flight.incidents.findings.failures.unhandled_exception import find_unhandled_exception
from otel_flight.incidents.findings.places.self_time import find_self_time
from otel_flight.incidents.findings.places.slow_child import find_slow_child
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.manifest import Finding

FAILURES: Final[tuple[Rule, ...]] = (
    find_cancelled_from_above,
    find_unhandled_exception,
    find_logged,
    find_error_origin,
    find_swallowed_exception,
    find_thread_died,
)
"""Why something failed."""
CAUSES: Final[tuple[Rule, ...]] = (
    find_event_loop_blocked,
    find_gc_pause,
    find_cpu_starved,
    find_gil_held,
    find_memory_growth,
    find_lock_wait,
    find_pool_exhausted,
    find_retries,
    find_slow_downstream,
    find_repeated_child,
)
"""What made it slow: what did it, held it up, or was not to be had."""
PLACES: Final[tuple[Rule, ...]] = (
    find_slow_child,
    find_self_time,
)
"""Where the time went: true whatever the cause was."""
CIRCUMSTANCES: Final[tuple[Rule, ...]] = (
    find_ended_together,
    find_unfinished,
    find_requests_in_flight,
)
"""What else was so at the time."""

RULES: Final[tuple[Rule, ...]] = (*FAILURES, *CAUSES, *PLACES, *CIRCUMSTANCES)
"""In the order of their findings where nothing else decides. A rule is called `find_` and what its
finding says of itself; it has a real service with that fault in `docs/generate_findings.py`."""

_CAUSE_COUNTS: Final = 2
"""A cause explains better than the place it worked in, so it comes first if it accounts for half
as much time; one that accounts for little is not held up against the place where the rest went."""
_CAUSE_NAMES: Final = frozenset(rule_name(rule) for rule in CAUSES)
_FAILURE_NAMES: Final = frozenset(rule_name(rule) for rule in FAILURES)


def examine(
    incident: Incident, *, guard: Guard | None = None, pause: Callable[[], None] | None = None
) -> list[Finding]:
    """Return what the rules find, the best explanation first.

    Decodes the whole window: not for application threads.

    Args:
        incident: a closed incident or a snapshot.
        guard: keeps a failing rule from taking the others with it; None: it raises.
        pause: called every few dozen spans, so that a live process can get on with its work.
    """
    return examine_view(EvidenceView(incident, pause), guard=guard)


def examine_view(view: EvidenceView, *, guard: Guard | None = None) -> list[Finding]:
    """Return what the rules find in evidence that was gathered already."""
    found: list[Finding] = []
    for rule in RULES:
        if guard is None:
            finding = rule(view)
        else:
            finding = None
            with guard.swallow(rule_name(rule)):
                finding = rule(view)
        if finding is not None:
            found.append(finding)
    return sorted(found, key=lambda finding: _rank(finding, view))


def _rank(finding: Finding, view: EvidenceView) -> tuple[bool, float]:
    """Of a failure whatever says why is the best explanation, of slowness what took most time."""
    cause = view.incident.manifest.trigger
    is_failure = cause is not None and cause.trigger in ERROR_TRIGGERS
    says_why = is_failure and finding.rule in _FAILURE_NAMES
    weight = _CAUSE_COUNTS if finding.rule in _CAUSE_NAMES else 1
    return not says_why, -finding.explained_share * weight
