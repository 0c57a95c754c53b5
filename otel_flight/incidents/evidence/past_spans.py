"""How long spans of other requests took, by their name and whom they called: what is usual.

Names alone do not do: HTTP clients call their spans `GET`, whichever service they ask.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from otel_flight.records.records import Span

_CALLS: Final = frozenset({2, 3})
"""Values of `SpanKind` for spans that call someone: CLIENT and PRODUCER."""
_LONG_AFTER: Final = 1 << 63
_SERVICES: Final = ("peer.service", "rpc.service")
_HOSTS: Final = ("server.address", "net.peer.name")
_PORTS: Final = ("server.port", "net.peer.port")
_URLS: Final = ("url.full", "http.url")
_SYSTEMS: Final = ("db.system.name", "db.system", "messaging.system")
_NAMESPACES: Final = ("db.namespace", "db.name", "messaging.destination.name")


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
        self, record: Span, after_ns: int = 0, before_ns: int = _LONG_AFTER
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
    return record.kind in _CALLS or any(system in record.attributes for system in _SYSTEMS)


def destination(record: Span) -> str:
    """Return whom a span called, as far as its attributes say so: `inventory:8080`, `redis`."""
    if not is_call(record):
        return ""
    attributes = record.attributes
    host = _first(attributes, _HOSTS) or _host_of(_first(attributes, _URLS))
    port = _first(attributes, _PORTS)
    namespace = _first(attributes, _NAMESPACES)
    system = _first(attributes, _SYSTEMS)
    return (
        _first(attributes, _SERVICES)
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
