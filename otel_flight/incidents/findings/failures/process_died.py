"""A process that ended without a word: what it was in the middle of is all that is known."""

from __future__ import annotations

from typing import Any, Final

from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.places import location, place_of
from otel_flight.incidents.evidence.samples import samples_of
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from otel_flight.names import evidence as keys
from otel_flight.names import trigger_names
from otel_flight.words import count, quoted, short_duration

_MOST_NAMED: Final = 3


def find_process_died(evidence: Evidence) -> Finding | None:
    """Name the requests that died with a process, and what the longest of them was seen doing."""
    if evidence.cause_of(trigger_names.PROCESS_DIED) is None:
        return None
    pid = evidence.manifest.process.get("pid", 0)
    requests = sorted((root for root in evidence.roots if root.is_open), key=lambda r: r.start_ns)
    summary = f"process {pid} ended without a word"
    place = ""
    if requests:
        named = ", ".join(
            f"{quoted(each.name)} for {short_duration(each.duration_ns)}"
            for each in requests[:_MOST_NAMED]
        )
        more = len(requests) - _MOST_NAMED
        died = count(len(requests), "request")
        summary += f", and {died} with it: {named}{f' and {more} more' if more > 0 else ''}"
        place = _last_place(evidence)
        if place:
            summary += f"; {quoted(requests[0].name)} was last seen in {place}"
    else:
        summary += "; no request was open"
    found: dict[str, Any] = {keys.REQUESTS: len(requests), **location(place)}
    return Finding(rule=RULE.name, summary=summary, evidence=found)


def _last_place(evidence: Evidence) -> str:
    if evidence.trigger is None:
        return ""
    samples = samples_of(evidence, evidence.trigger)
    return place_of(samples[-1].frames) if samples else ""


RULE: Final = Rule(
    name="process_died",
    kind=Kind.FAILURE,
    title="A process died",
    find=find_process_died,
)
