"""The spans that had not ended when a process died: those whose start is recorded, and no end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from otel_flight.incidents.making.frozen_incident import open_segment
from otel_flight.incidents.window import WindowRecord
from otel_flight.records.records import OpenSpan, Span, SpanStart
from otel_flight.ring.reader import Segment


class OpenAtDeath(NamedTuple):
    """The open spans."""

    segment: Segment | None
    """They, with the definitions they need."""
    starts: list[SpanStart]
    """What is recorded of each, oldest first."""
    sent_before: list[int]
    """The ids of spans, these and others, that were open when the records before were taken: the
    incident that took them has them as unfinished."""


def open_at_death(records: Iterable[WindowRecord], died_ns: int, first_new: int = 0) -> OpenAtDeath:
    """Return the spans that were open.

    Args:
        records: of the span lane, oldest first.
        died_ns: when the process died, by the wall clock.
        first_new: the first record that is in no incident yet.
    """
    opened: dict[int, tuple[SpanStart, WindowRecord]] = {}
    ended: set[int] = set()
    sent_before: dict[int, None] = {}
    for found in records:
        record, is_new = found.record, found.number >= first_new
        if isinstance(record, SpanStart):
            if record.span_id not in ended:  # a start that is replayed may come after the end
                opened[record.span_id] = record, found  # a later one has its attributes, too
                if not is_new:
                    sent_before[record.span_id] = None
        elif isinstance(record, Span):
            ended.add(record.span_id)
            opened.pop(record.span_id, None)
            if not is_new:
                sent_before.pop(record.span_id, None)
    segment = _segment(opened.values(), died_ns) if opened else None
    return OpenAtDeath(segment, [start for start, _ in opened.values()], list(sent_before))


def _segment(opened: Iterable[tuple[SpanStart, WindowRecord]], died_ns: int) -> Segment:
    definitions: dict[tuple[str, int], bytes] = {}
    encode = msgspec.msgpack.encode
    # Numbers count within a segment: spans of two may have the same one for other scopes.
    scopes: dict[int, int] = {}
    spans = []
    for start, found in opened:
        number = 0
        if found.scope is not None:
            number = scopes.setdefault(id(found.scope), len(scopes) + 1)
            scope = msgspec.structs.replace(found.scope, number=number, resource=number)
            if found.resource is not None:
                resource = msgspec.structs.replace(found.resource, number=number)
                definitions["resource", number] = encode(resource)
            definitions["scope", number] = encode(scope)
        spans.append(encode(_open_span(start, number, died_ns)))
    return open_segment(definitions.values(), spans, died_ns)


def _open_span(start: SpanStart, scope: int, died_ns: int) -> OpenSpan:
    return OpenSpan(
        start.trace_id_high,
        start.trace_id_low,
        start.span_id,
        start.parent_span_id,
        start.flags,
        scope,
        start.name,
        start.kind,
        start.start_ns,
        max(died_ns, start.start_ns),
        start.attributes or {},
        (),
        (),
        0,
    )
