"""Number instrumentation scopes and resources, so that a span record carries one small integer."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from otel_flight.interpreter.sdk.internals import attributes_of
from otel_flight.records.definitions import Definition, Definitions, encode_bounded
from otel_flight.records.layout import as_fields
from otel_flight.records.records import ResourceDefinition, ScopeDefinition
from otel_flight.records.sanitize import as_text
from otel_flight.redaction.redactor import Redactor
from otel_flight.ring.layout import MAX_RESOURCE_BYTES, MAX_SCOPE_BYTES

MAX_SCOPES: Final = 1024
"""After this many scopes the table starts anew, for a program that makes tracers in a loop; what
was defined is kept until it starts anew once more."""


class ScopeEntry(NamedTuple):
    """What the hot path finds by `id(scope)`; holding both objects keeps their ids from reuse."""

    number: int
    resource: object
    scope: object


class ScopeTable(Definitions):
    """Scopes seen by this process. Safe from any thread: racing threads number a scope twice.

    Scopes are found by identity and numbered by what they say: older SDKs make a new scope object
    whenever `get_tracer` is called, which some programs do for every span.

    Args:
        redactor: takes secrets out of attributes; None: they stay.
    """

    def __init__(self, redactor: Redactor | None = None) -> None:
        super().__init__(MAX_SCOPES)
        self._redact = None if redactor is None else redactor.fields
        self.entries: dict[int, ScopeEntry] = {}
        self._known_numbers: dict[bytes, int] = {}
        self._resources: dict[int, tuple[object, Definition]] = {}

    def add(self, scope: Any, resource: Any) -> ScopeEntry:
        """Number `scope` of `resource`, either of which may be None."""
        if self._begins_generation():
            self.entries.clear()
            self._known_numbers, self._resources = {}, {}
        elif len(self.entries) >= MAX_SCOPES:
            self.entries.clear()
        number = self._number(scope, resource)
        entry = self.entries[id(scope)] = ScopeEntry(number, resource, scope)
        return entry

    def _number(self, scope: Any, resource: Any) -> int:
        parent = self._resource(resource)
        definition = ScopeDefinition(
            number=0,
            resource=parent.number,
            name=_text(getattr(scope, "name", None)) or "",
            version=_text(getattr(scope, "version", None)),
            schema_url=_text(getattr(scope, "schema_url", None)),
            attributes=attributes_of(scope) or None,
        )
        key = encode_bounded(as_fields(definition), MAX_SCOPE_BYTES, self._redact)
        known = self._known_numbers.get(key)
        if known is not None:
            return known
        number = definition.number = self._next_number()
        record = encode_bounded(as_fields(definition), MAX_SCOPE_BYTES, self._redact)
        self._put(Definition(number, record, parent))
        self._known_numbers[key] = number
        return number

    def newest_resource(self) -> Any:
        """Return the resource seen last, None before the first span."""
        known = list(self._resources.values())
        return known[-1][0] if known else None

    def _resource(self, resource: Any) -> Definition:
        known = self._resources.get(id(resource))
        if known is not None and known[0] is resource:
            return known[1]
        number = self._next_number()
        definition = ResourceDefinition(
            number=number,
            attributes=attributes_of(resource),
            schema_url=_text(getattr(resource, "schema_url", None)) or "",
        )
        record = encode_bounded(as_fields(definition), MAX_RESOURCE_BYTES, self._redact)
        found = Definition(number, record)
        self._resources[id(resource)] = (resource, found)
        return found


def _text(value: Any) -> str | None:
    """Return a name or version as text: the API takes any object, `1.0` for a version, say."""
    return None if value is None else as_text(value)
