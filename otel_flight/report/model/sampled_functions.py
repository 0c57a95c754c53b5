"""The functions that the stack samples of a window were in, most often first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from otel_flight.incidents.evidence.places import application_frames
from otel_flight.incidents.window import WindowEvent
from otel_flight.interpreter.code.origin import short_file
from otel_flight.names import attributes as names
from otel_flight.names import source_names
from otel_flight.report.model.compared_values import Value
from otel_flight.words import count

_LEAST: Final = 0.02
"""A function in a smaller part of the samples is not told."""


def functions_of(events: Sequence[WindowEvent]) -> dict[str, Value]:
    """Return in which part of the samples each function of the application was the innermost.

    Args:
        events: of the window, among them the samples.
    """
    found: Counter[str] = Counter()
    for event in events:
        if event.record.source == source_names.STACKS and event.frames:
            found[_name(event)] += 1
    total = sum(found.values())
    return {
        name: Value(f"{number / total:.0%} of {count(total, 'sample')}", {"": number / total})
        for name, number in found.most_common()
        if number >= _LEAST * total
    }


def _name(event: WindowEvent) -> str:
    innermost = (application_frames(event.frames) or list(event.frames))[-1]
    attributes = event.record.attributes
    wait = f"{attributes.get(names.WAIT_KIND, '')} {attributes.get(names.WAIT_ON, '')}".strip()
    where = f"{innermost.function} ({short_file(innermost.file)})"
    return f"{where}, waiting: {wait}" if wait else where
