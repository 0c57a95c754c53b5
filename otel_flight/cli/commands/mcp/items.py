"""Spans, events and incidents as the lines of an answer, of which each is JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final

import msgspec

from otel_flight.cli.base import Invocation
from otel_flight.errors import NotAnIncident
from otel_flight.incidents.spool.directory import SpoolEntry
from otel_flight.incidents.window import WindowEvent, WindowSpan
from otel_flight.records.ids import span_text, trace_text
from otel_flight.report.markdown.markdown import fenced
from otel_flight.words import moment, one_line

MOST_ITEMS: Final = 500
"""An answer has at most so many items, whatever is asked for."""
MOST_TOKENS: Final = 16_000
"""An answer has at most about so many tokens of a language model."""
_LONGEST_VALUE: Final = 300
"""A text in an answer has at most so many characters."""
_NS_PER_MS: Final = 1_000_000


def answer(items: Iterable[Mapping[str, Any]], limit: int) -> str:
    """Return items as JSON lines in a fence, as many as there may be; say when there are more."""
    most = max(1, min(limit, MOST_ITEMS))
    lines = [_json(item) for item in islice(items, most + 1)]
    if not lines:
        return "There are none."
    more = "\n\nThere are more: ask for less time, or by name." if len(lines) > most else ""
    return fenced(lines[:most], MOST_TOKENS) + more


def _json(item: Mapping[str, Any]) -> str:
    return msgspec.json.encode(_short(item), enc_hook=str).decode()


def _short(value: Any) -> Any:
    if isinstance(value, str):
        return one_line(value, _LONGEST_VALUE)
    if isinstance(value, Mapping):
        return {one_line(str(key), _LONGEST_VALUE): _short(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_short(each) for each in value[:MOST_ITEMS]]
    return value


def summary_of(invocation: Invocation, entry: SpoolEntry) -> dict[str, Any]:
    """Return what a list says of an incident."""
    try:
        manifest = invocation.manifest(entry)
    except NotAnIncident as error:
        return {"id": entry.incident_id, "unreadable": error.why}
    return {
        "id": entry.incident_id,
        "opened": moment(manifest.opened_ns),
        "title": manifest.title,
        "service": manifest.service_name,
        "spans": manifest.spans,
        "finding": manifest.findings[0].summary if manifest.findings else "",
    }


def times(start_ns: int, end_ns: int, fired_ns: int) -> dict[str, float]:
    """Return how long after the trigger something began, and how long it took."""
    return {
        "at_ms": round((start_ns - fired_ns) / _NS_PER_MS, 3),
        "ms": round((end_ns - start_ns) / _NS_PER_MS, 3),
    }


def span_of(span: WindowSpan, fired_ns: int) -> dict[str, Any]:
    """Return a span with its attributes and events."""
    record = span.record
    return {
        **times(span.start_ns, span.end_ns, fired_ns),
        "name": record.name,
        "trace_id": trace_text(record.trace_id),
        "span_id": span_text(record.span_id),
        "parent_span_id": span_text(record.parent_span_id),
        **({"error": record.status_description or True} if span.is_error else {}),
        **({"unfinished": True} if span.is_open else {}),
        "attributes": record.attributes,
        "events": [{"name": each.name, **each.attributes} for each in record.events],
    }


def event_of(event: WindowEvent, fired_ns: int) -> dict[str, Any]:
    """Return a runtime event with its attributes and stack."""
    record = event.record
    frames = [f"{frame.function} ({frame.file}:{frame.line})" for frame in event.frames]
    return {
        **times(event.start_ns, event.end_ns, fired_ns),
        "event": record.name,
        "source": record.source,
        "thread": record.thread_id,
        "trace_id": trace_text(record.trace_id),
        **record.attributes,
        **({"stack": frames} if frames else {}),
    }
