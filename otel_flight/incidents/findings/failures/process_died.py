"""A process that died: why, as far as that can be known, and what it was in the middle of."""

from __future__ import annotations

from typing import Any, Final

from otel_flight.incidents.evidence.death import how_it_died
from otel_flight.incidents.evidence.durations.samples import samples_of
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.places import location, place_in, place_of
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from otel_flight.names import evidence as keys
from otel_flight.names import trigger_names
from otel_flight.words import count, quoted, short_duration

_MOST_NAMED: Final = 3


def find_process_died(evidence: Evidence) -> Finding | None:
    """Say what killed a process, in which line, and which requests died with it.

    A crash, or that memory ran out, is known for sure. That a server killed it for its slowness is
    said where it has a limit, and a request, or the silence of the process, was as long. Where
    nothing is known, it ended without a word: killed by someone, or by `os._exit`.
    """
    cause = evidence.cause_of(trigger_names.PROCESS_DIED)
    if cause is None:
        return None
    pid = evidence.manifest.process.get("pid", 0)
    requests = sorted((root for root in evidence.roots if root.is_open), key=lambda r: r.start_ns)
    summary = f"process {pid} {how_it_died(evidence, cause, requests[0] if requests else None)}"
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
        if place and place not in summary:
            summary += f"; {quoted(requests[0].name)} was last seen in {place}"
    else:
        summary += "; no request was open"
    place = place_in(cause.attributes) or place
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
