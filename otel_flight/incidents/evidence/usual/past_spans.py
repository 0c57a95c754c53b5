"""How long spans of other requests took, by their name and whom they called: what is usual.

Names alone do not do: HTTP clients call their spans `GET`, whichever service they ask.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from otel_flight.incidents.window import KIND_CLIENT, KIND_PRODUCER
from otel_flight.names import span_attributes as names
from otel_flight.records.records import Span

_CALLS: Final = frozenset({KIND_CLIENT, KIND_PRODUCER})
"""Spans of these kinds ask something of someone else."""
_END_OF_TIME: Final = 1 << 63
"""No span ends at this moment or later."""


class PastSpans:
    """Ends and durations of spans, 16 bytes a span: a full window holds some 50 000."""

    def __init__(self) -> None:
        self._taken: defaultdict[tuple[str, str], array[int]] = defaultdict(lambda: array("q"))

    def add(self, record: Span) -> None:
        """Take note of a span that ended."""
        taken = self._taken[record.name, destination(record)]
        taken.append(record.end_ns)
        taken.append(record.end_ns - record.start_ns)

    def durations_ns(
        self, record: Span, after_ns: int = 0, before_ns: int = _END_OF_TIME
    ) -> Sequence[int]:
        """Return how long spans like this one took that ended between two moments."""
        taken = self._taken.get((record.name, destination(record)), ())
        ends, durations = taken[::2], taken[1::2]
        return [
            duration
            for end, duration in zip(ends, durations, strict=True)
            if after_ns <= end < before_ns
        ]


def is_call(record: Span) -> bool:
    """Return whether a span stands for something that is asked of someone else."""
    return record.kind in _CALLS or any(system in record.attributes for system in names.SYSTEMS)


def destination(record: Span) -> str:
    """Return whom a span called, as far as its attributes say so: `inventory:8080`, `redis`."""
    if not is_call(record):
        return ""
    attributes = record.attributes
    host = _first(attributes, names.PEER_HOSTS) or _host_of(_first(attributes, names.URLS))
    port = _first(attributes, names.PEER_PORTS)
    namespace = _first(attributes, names.NAMESPACES)
    system = _first(attributes, names.SYSTEMS)
    return (
        _first(attributes, names.PEER_SERVICES)
        or (f"{host}:{port}" if host and port else host)
        or (f"{system} {namespace}" if system and namespace else system or namespace)
    )


def _first(attributes: dict[str, Any], keys: Sequence[str]) -> str:
    for key in keys:
        if key in attributes:
            return str(attributes[key])
    return ""


def _host_of(url: str) -> str:
    """Return host and port of a URL. Not parsed: it would be the dearest part of a decoded span."""
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2].partition("?")[0]
