"""The spans, runtime events and stacks of an incident in columns.

Times are nanoseconds from the opening of the incident, so that JavaScript's numbers hold them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Final

from otel_flight.ground.intervals import Timed
from otel_flight.incidents.manifest import Explanation, Manifest
from otel_flight.incidents.window import Window, WindowEvent, WindowSpan
from otel_flight.records.ids import span_text, trace_text
from otel_flight.records.records import EXTRA_TRACE_STATE, FLAG_PARENT_IS_REMOTE, FLAG_SAMPLED
from otel_flight.redaction.known_secrets import REDACTED
from otel_flight.report.html.columns import AttributeColumns, Distinct
from otel_flight.report.model.event_words import event_words

ERROR: Final = 1
OPEN: Final = 2
ROOT: Final = 4
SAMPLED: Final = 8
_FAR_NS: Final = 3600 * 1_000_000_000
"""A span that begins or ends further than this outside of the window does not widen the axis: its
clock was another one."""


def window_columns(
    window: Window,
    events: Sequence[WindowEvent],
    explanations: Sequence[Explanation],
    manifest: Manifest,
    longest: int,
) -> dict[str, Any]:
    """Return all that was recorded, as the page reads it.

    Args:
        window: has the spans, which are decoded for this.
        events: its runtime events, by start.
        explanations: the pauses and inferred spans.
        manifest: of the incident.
        longest: of an attribute's value, so many characters are kept.
    """
    attributes = AttributeColumns(longest)
    texts = Distinct()
    spans = _distinct(window.spans())
    columns = {
        "longest": longest,
        "axis": _axis(spans, events, manifest),
        "spans": _spans(spans, texts, attributes, manifest.opened_ns),
        "events": _events(events, texts, attributes, manifest.opened_ns),
        "explanations": [
            _explanation(each, attributes, manifest.opened_ns) for each in explanations
        ],
    }
    table = attributes.columns()
    redacted = sum(1 for each in table["values"] if isinstance(each, str) and REDACTED in each)
    return {
        **columns,
        "texts": texts.values,
        "attributes": table,
        "shortened": attributes.shortened,
        "redacted": redacted,
    }


def _distinct(spans: Iterable[WindowSpan]) -> list[WindowSpan]:
    """Return spans by start, without those that ended while they were still listed as open."""
    found: dict[int, WindowSpan] = {}
    for span in spans:
        if not span.is_open or span.record.span_id not in found:
            found[span.record.span_id] = span
    return sorted(found.values(), key=lambda span: (span.start_ns, -span.end_ns))


def _axis(
    spans: Sequence[WindowSpan], events: Sequence[WindowEvent], manifest: Manifest
) -> tuple[int, int]:
    coverage = manifest.coverage
    start, end = coverage.start_ns or manifest.opened_ns, manifest.closed_ns
    moments = [start, manifest.opened_ns, end]
    items: Iterable[Timed] = chain(spans, events)
    for item in items:
        if start - _FAR_NS < item.start_ns and item.end_ns < end + _FAR_NS:
            moments += [item.start_ns, item.end_ns]
    return min(moments) - manifest.opened_ns, max(*moments, min(moments) + 1) - manifest.opened_ns


def _spans(
    spans: Sequence[WindowSpan], texts: Distinct, attributes: AttributeColumns, zero_ns: int
) -> dict[str, Any]:
    rows = {span.record.span_id: row for row, span in enumerate(spans)}
    traces = Distinct()
    more: dict[int, dict[str, Any]] = {}
    columns: dict[str, Any] = {
        name: []
        for name in ("start", "length", "name", "trace", "parent", "scope", "kind", "flags", "keys")
    }
    for row, span in enumerate(spans):
        record = span.record
        columns["start"].append(span.start_ns - zero_ns)
        columns["length"].append(max(0, span.duration_ns))
        columns["name"].append(texts.place(record.name))
        columns["trace"].append(traces.place(trace_text(record.trace_id)))
        columns["parent"].append(rows.get(record.parent_span_id, -1))
        columns["scope"].append(texts.place(_scope(span)))
        columns["kind"].append(record.kind)
        columns["flags"].append(_flags(span))
        columns["keys"].append(attributes.add(record.attributes))
        if rare := _rare(span, zero_ns, attributes, is_parent_here=record.parent_span_id in rows):
            more[row] = rare
    ids = "".join(span_text(span.record.span_id).rjust(16, "0") for span in spans)
    return {**columns, "ids": ids, "traces": traces.values, "more": more}


def _scope(span: WindowSpan) -> str:
    if span.scope is None:
        return ""
    return f"{span.scope.name} {span.scope.version or ''}".rstrip()


def _flags(span: WindowSpan) -> int:
    record = span.record
    return (
        ERROR * span.is_error
        | OPEN * span.is_open
        | ROOT * record.is_local_root
        | SAMPLED * bool(record.flags & FLAG_SAMPLED)
    )


def _rare(
    span: WindowSpan, zero_ns: int, attributes: AttributeColumns, *, is_parent_here: bool
) -> dict[str, Any]:
    """Return what only few spans have."""
    record = span.record
    extras = dict(record.extras or {})
    found: dict[str, Any] = {
        "status": record.status_description,
        "parent": "" if is_parent_here else span_text(record.parent_span_id),
        "remote": bool(record.flags & FLAG_PARENT_IS_REMOTE),
        "state": extras.pop(EXTRA_TRACE_STATE, ""),
        "lost": extras,
        "events": [
            [each.name, each.time_ns - zero_ns, _inline(each.attributes, attributes)]
            for each in record.events
        ],
        "links": [
            [
                trace_text(each.trace_id),
                span_text(each.span_id),
                _inline(each.attributes, attributes),
            ]
            for each in record.links
        ],
    }
    return {name: value for name, value in found.items() if value}


def _events(
    events: Sequence[WindowEvent], texts: Distinct, attributes: AttributeColumns, zero_ns: int
) -> dict[str, Any]:
    traces, frames, stacks = Distinct(), Distinct(), Distinct()
    columns: dict[str, Any] = {
        name: []
        for name in (
            *("source", "name", "start", "length", "thread", "trace", "span", "words", "stack"),
            "keys",
        )
    }
    for event in events:
        record = event.record
        stack = tuple(
            frames.place((texts.place(each.function), texts.place(each.file), each.line))
            for each in event.frames
        )
        columns["source"].append(texts.place(record.source))
        columns["name"].append(texts.place(record.name))
        columns["start"].append(record.start_ns - zero_ns)
        columns["length"].append(max(0, record.duration_ns))
        columns["thread"].append(texts.place(str(record.thread_id) if record.thread_id else ""))
        columns["trace"].append(traces.place(trace_text(record.trace_id)))
        columns["span"].append(texts.place(span_text(record.span_id)))
        columns["words"].append(texts.place(event_words(event)))
        columns["stack"].append(stacks.place(stack) if stack else -1)
        columns["keys"].append(attributes.add(record.attributes))
    tables = {"traces": traces.values, "frames": frames.values, "stacks": stacks.values}
    return {**columns, **tables}


def _explanation(
    explanation: Explanation, attributes: AttributeColumns, zero_ns: int
) -> dict[str, Any]:
    return {
        "kind": explanation.kind,
        "name": explanation.name,
        "trace": explanation.trace_id,
        "parent": explanation.parent_span_id,
        "id": explanation.id,
        "start": explanation.start_ns - zero_ns,
        "length": max(0, explanation.end_ns - explanation.start_ns),
        "attributes": _inline(explanation.attributes, attributes),
        "link": [explanation.link_trace_id, explanation.link_span_id],
    }


def _inline(values: dict[str, Any], attributes: AttributeColumns) -> dict[str, Any]:
    """Return attributes that stand where they belong, as there are few of their kind."""
    return {key: attributes.plain(value) for key, value in values.items()}
