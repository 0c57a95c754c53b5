"""Number instrumentation scopes and resources, so that a span record carries one small integer.

Each segment must decode alone, so the definitions are kept here, encoded, and the lane writer puts
them again into every segment whose spans refer to them.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from otel_flight.records import records
from otel_flight.records.sanitize import Sanitizer, as_text
from otel_flight.records.shorten import LENGTHS, Shortener
from otel_flight.ring.layout import MAX_RESOURCE_BYTES, MAX_SCOPE_BYTES

MAX_SCOPES: Final = 1024
"""Scopes kept before the table starts anew: bounds a program that makes tracers in a loop."""

_encode = msgspec.msgpack.Encoder().encode


class Definition(NamedTuple):
    """A numbered scope, with the two encoded records that define it in a segment."""

    number: int
    resource_number: int
    scope_record: bytes
    resource_record: bytes


class ScopeEntry(NamedTuple):
    """What the hot path finds by `id(scope)`; holding both objects keeps their ids from reuse."""

    number: int
    resource: object
    scope: object


class ScopeTable:
    """Scopes seen by this process. Safe from any thread: racing threads number a scope twice.

    Scopes are found by identity and numbered by what they say: older SDKs make a new scope object
    whenever `get_tracer` is called, which some programs do for every span.
    """

    def __init__(self) -> None:
        self.entries: dict[int, ScopeEntry] = {}
        self._definitions: dict[int, Definition] = {}
        self._older_definitions: dict[int, Definition] = {}
        self._known_numbers: dict[bytes, int] = {}
        self._resources: dict[int, tuple[int, object, bytes]] = {}
        self._numbers = itertools.count(1)

    def add(self, scope: Any, resource: Any) -> ScopeEntry:
        """Number `scope` of `resource`, either of which may be None."""
        if len(self._definitions) >= MAX_SCOPES:
            self._older_definitions, self._definitions = self._definitions, {}
            self.entries.clear()
            self._known_numbers, self._resources = {}, {}
        elif len(self.entries) >= MAX_SCOPES:
            self.entries.clear()
        number = self._number(scope, resource)
        entry = self.entries[id(scope)] = ScopeEntry(number, resource, scope)
        return entry

    def _number(self, scope: Any, resource: Any) -> int:
        resource_number, resource_record = self._resource(resource)
        fields = (
            resource_number,
            _text(getattr(scope, "name", None)) or "",
            _text(getattr(scope, "version", None)),
            _text(getattr(scope, "schema_url", None)),
            _plain(getattr(scope, "attributes", None)),
        )
        key = encode_bounded((records.SCOPE, 0, *fields), MAX_SCOPE_BYTES)
        known = self._known_numbers.get(key)
        if known is not None:
            return known
        number = next(self._numbers)
        record = encode_bounded((records.SCOPE, number, *fields), MAX_SCOPE_BYTES)
        self._definitions[number] = Definition(number, resource_number, record, resource_record)
        self._known_numbers[key] = number
        return number

    def definition(self, number: int) -> Definition | None:
        """Return the definition of a scope number; None when it has been forgotten."""
        return self._definitions.get(number) or self._older_definitions.get(number)

    def newest_resource(self) -> Any:
        """Return the resource seen last, None before the first span."""
        known = list(self._resources.values())
        return known[-1][1] if known else None

    def _resource(self, resource: Any) -> tuple[int, bytes]:
        known = self._resources.get(id(resource))
        if known is not None and known[1] is resource:
            return known[0], known[2]
        number = next(self._numbers)
        fields = (
            records.RESOURCE,
            number,
            _plain(getattr(resource, "attributes", None)) or {},
            _text(getattr(resource, "schema_url", None)) or "",
        )
        record = encode_bounded(fields, MAX_RESOURCE_BYTES)
        self._resources[id(resource)] = (number, resource, record)
        return number, record


def _plain(attributes: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return dict(attributes) if attributes else None


def _text(value: Any) -> str | None:
    """Return a name or version as text: the API takes any object, `1.0` for a version, say."""
    return None if value is None else as_text(value)


def encode_bounded(fields: tuple[Any, ...], limit_bytes: int) -> bytes:
    """Encode a definition within `limit_bytes`: strings are cut, then attributes left out."""
    sanitizer, shortener = Sanitizer(), Shortener()
    cleaned = [sanitizer.clean(field) for field in fields]
    data: bytes = _encode(cleaned)
    for length in LENGTHS:
        if len(data) <= limit_bytes:
            return data
        if length < limit_bytes:
            data = _encode(shortener.shorten(cleaned, length))
    if len(data) <= limit_bytes:
        return data
    shortest = shortener.shorten(cleaned, LENGTHS[-1])
    return _encode(
        [{"…": f"[+{len(item)} items]"} if type(item) is dict else item for item in shortest]
    )
