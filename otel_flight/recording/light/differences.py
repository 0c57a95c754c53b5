"""In what two ended spans differ, for whoever reads them or records them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from otel_flight.recording.encoding.fast_encoder import span_encoder
from otel_flight.recording.encoding.scope_table import ScopeTable
from otel_flight.ring.layout import MAX_RECORD_BYTES

_PROPERTIES: Final = (
    "name",
    "context",
    "parent",
    "kind",
    "start_time",
    "end_time",
    "attributes",
    "resource",
    "instrumentation_scope",
    "dropped_attributes",
    "dropped_events",
    "dropped_links",
)


def differences(one: Any, other: Any) -> Iterator[str]:
    """Yield the names of what differs between two ended spans, or in the records of them."""
    for name in _PROPERTIES:
        if getattr(one, name, None) != getattr(other, name, None):
            yield name
    yield from (part for part, of in _PARTS.items() if of(one) != of(other))
    scopes = ScopeTable()
    encoder = span_encoder(scopes, MAX_RECORD_BYTES)
    if encoder.encode_end(one) != encoder.encode_end(other):
        yield "record"


def _json_of(span: Any) -> Any:
    try:
        return json.loads(span.to_json())
    except TypeError as error:  # bytes are a value, but not in JSON
        return str(error)


_PARTS: Final[dict[str, Callable[[Any], Any]]] = {
    "status": lambda span: (span.status.status_code, span.status.description),
    "events": lambda span: [(each.name, each.attributes, each.timestamp) for each in span.events],
    "links": lambda span: [(each.context, each.attributes) for each in span.links],
    "to_json": _json_of,
}
"""Those properties whose values say of none but themselves that they are the same."""
