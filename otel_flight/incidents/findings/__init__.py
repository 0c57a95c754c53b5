"""Small rules over a finished incident, one a file: each says one thing that was seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from otel_flight.guard import Guard
from otel_flight.incidents.findings.base import ERROR_TRIGGERS, EvidenceView, Rule
from otel_flight.incidents.findings.ended_together import find_ended_together
from otel_flight.incidents.findings.error_origin import find_error_origin
from otel_flight.incidents.findings.repeated_child import find_repeated_child
from otel_flight.incidents.findings.requests_in_flight import find_requests_in_flight
from otel_flight.incidents.findings.self_time import find_self_time
from otel_flight.incidents.findings.slow_child import find_slow_child
from otel_flight.incidents.findings.unfinished import find_unfinished
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.manifest import Finding

RULES: Final[tuple[Rule, ...]] = (
    find_error_origin,
    find_repeated_child,
    find_slow_child,
    find_self_time,
    find_ended_together,
    find_unfinished,
    find_requests_in_flight,
)
"""In the order of their findings where nothing else decides."""


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
            with guard.swallow(getattr(rule, "__name__", "finding")):
                finding = rule(view)
        if finding is not None:
            found.append(finding)
    return sorted(found, key=lambda finding: _rank(finding, view))


def _rank(finding: Finding, view: EvidenceView) -> tuple[bool, float]:
    """Of a failure its origin is the best explanation, of slowness whatever took most time."""
    cause = view.incident.manifest.trigger
    is_failure = cause is not None and cause.trigger in ERROR_TRIGGERS
    is_origin = is_failure and finding.rule == "error_origin"
    return not is_origin, -finding.explained_share
