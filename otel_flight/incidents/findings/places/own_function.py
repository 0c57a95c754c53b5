"""A function of the service's own that took the time, with one thing after the other."""

from __future__ import annotations

from typing import Final

from otel_flight.incidents.evidence.durations.mixed_time import MixedTime, mixed_time
from otel_flight.incidents.evidence.durations.own_time import words_of_path
from otel_flight.incidents.evidence.durations.time_parts import Doing, Part
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from otel_flight.names import attributes as names
from otel_flight.names import evidence as keys
from otel_flight.names.wait_kinds import SLEEP
from otel_flight.records.ids import span_text
from otel_flight.words import quoted, short_duration

_MOST_TOLD: Final = 3
"""So many things that it did are told, the longest."""


def find_own_function(evidence: Evidence) -> Finding | None:
    """Name the function, its line, who called it, and what it spent most of the time on.

    Silent about less than a third of the time, about what a single sample shows, and where one of
    those things alone took a third: another rule says that.
    """
    mixed = evidence.once(mixed_time)
    if mixed is None:
        return None
    frame = mixed.path[-1]
    return Finding(
        rule=RULE.name,
        summary=(
            f"{quoted(mixed.span.name)} was for {short_duration(mixed.duration_ns)} of its "
            f"{short_duration(mixed.span.duration_ns)} ({mixed.share:.0%}) in "
            f"{words_of_path(mixed.path)}: {_what(mixed)}"
        ),
        explained_share=mixed.share,
        evidence={
            keys.SPAN_ID: span_text(mixed.span.record.span_id),
            keys.DURATION_NS: mixed.duration_ns,
            keys.SAMPLES: mixed.samples,
            names.FUNCTION: frame.function,
            names.FILE: frame.file,
            names.LINE: frame.line,
        },
    )


def _what(mixed: MixedTime) -> str:
    told = [
        f"{short_duration(duration_ns)} {_doing(part)}"
        for part, duration_ns in mixed.parts[:_MOST_TOLD]
    ]
    return f"{', '.join(told)}{', …' if len(mixed.parts) > _MOST_TOLD else ''}"


def _doing(part: Part) -> str:
    if part.subject == SLEEP:
        return "asleep"
    if part.doing is not Doing.WAITING:
        return str(part.doing.value)
    what = f" ({quoted(part.object)})" if part.object else ""
    return f"waiting for: {part.subject}{what}"


RULE: Final = Rule(
    name="own_function",
    kind=Kind.PLACE,
    title="A function did many things that took long",
    find=find_own_function,
)
