"""The resource and scope objects of exported spans: one object for all spans of equal origin.

The official encoder groups spans by resource and scope, as keys of a dict. The SDK's resource dumps
itself to JSON for each hash, which would be a fifth of the whole encoding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_flight.delivery.otlp.values import make_portable
from otel_flight.incidents.manifest import Manifest
from otel_flight.names.sent_attributes import HOST_ID, HOST_NAME, PROCESS_ID
from otel_flight.records.records import ResourceDefinition, ScopeDefinition

_MOST_ORIGINS: Final = 4096
_content = msgspec.msgpack.Encoder().encode


class SharedResource(Resource):
    """A resource that is equal to itself only; see the module."""

    __eq__ = object.__eq__
    __hash__ = object.__hash__


class SharedScope(InstrumentationScope):
    """A scope that is equal to itself only; see the module."""

    __slots__ = ()
    __eq__ = object.__eq__
    __hash__ = object.__hash__


class Origin(NamedTuple):
    """Where a span comes from."""

    resource: Resource
    scope: InstrumentationScope | None


class SpanOrigins:
    """The origins of one incident's spans. Not for several threads at once.

    Args:
        manifest: its resource stands in for one that was lost; its host name is added to a resource
            that names no host, as Jaeger would warn about clock skew otherwise. Where the incident
            has windows of several processes, the process id says which one a span is of.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._host = str(manifest.process.get("host") or "")
        is_one_of_several = manifest.part_of or manifest.processes
        self._pid = int(manifest.process.get("pid", 0)) if is_one_of_several else 0
        self._resources: dict[bytes, Resource] = {}
        self._scopes: dict[bytes, InstrumentationScope] = {}
        # The definitions are held with their origin, so that an id means the same one for ever.
        self._known: dict[tuple[int, int], tuple[Origin, object, object]] = {}
        self.own_resource = self._resource(manifest.resource, "")

    def of(self, scope: ScopeDefinition | None, resource: ResourceDefinition | None) -> Origin:
        """Return the origin that the definitions of a segment describe."""
        key = (id(scope), id(resource))
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _MOST_ORIGINS:
                self._known.clear()
            known = self._known[key] = (self._new(scope, resource), scope, resource)
        return known[0]

    def _new(self, scope: ScopeDefinition | None, resource: ResourceDefinition | None) -> Origin:
        return Origin(
            self.own_resource
            if resource is None
            else self._resource(resource.attributes, resource.schema_url),
            None if scope is None else self._scope(scope),
        )

    def _resource(self, attributes: Mapping[str, Any], schema_url: str) -> Resource:
        key = _content((attributes, schema_url))
        if key not in self._resources:
            portable = dict(attributes)
            make_portable(portable)
            if self._host and HOST_NAME not in portable and HOST_ID not in portable:
                portable[HOST_NAME] = self._host
            if (
                self._pid
            ):  # else nobody knows whose it is; one that stands there may be the parent's
                portable[PROCESS_ID] = self._pid
            self._resources[key] = SharedResource(portable, schema_url)
        return self._resources[key]

    def _scope(self, scope: ScopeDefinition) -> InstrumentationScope:
        attributes = dict(scope.attributes or {})
        key = _content((scope.name, scope.version, scope.schema_url, attributes))
        if key not in self._scopes:
            make_portable(attributes)
            self._scopes[key] = SharedScope(
                scope.name, scope.version, scope.schema_url, attributes or None
            )
        return self._scopes[key]
