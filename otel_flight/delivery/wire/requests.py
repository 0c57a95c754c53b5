"""A whole export request of recorded spans: the official encoder's, for a fraction of the work.

Resources and scopes are encoded by the official encoder, once each, as is every span that is not a
usual one; so is everything, if the official encoder's result for a sample is not ours.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import INVALID_SPAN_CONTEXT

from otel_flight.delivery.otlp.origins import Origin, SpanOrigins
from otel_flight.delivery.otlp.spans import RecordedSpan, SpanBuilder
from otel_flight.delivery.wire.protobuf import delimited
from otel_flight.delivery.wire.spans import SpanEncoding
from otel_flight.ground.guard import Guard
from otel_flight.incidents.manifest import Manifest
from otel_flight.incidents.window import WindowSpan
from otel_flight.records import records
from otel_flight.records.records import Event, Link, ResourceDefinition, ScopeDefinition, Span

OfficialEncoder = Callable[[Sequence[ReadableSpan]], Any]
"""This is `encode_spans` of the official exporters; it returns an ExportTraceServiceRequest."""

_MOST_ENVELOPES: Final = 4096
"""The envelopes of at most this many origins are remembered, those used last."""
# Tags of opentelemetry/proto/trace/v1/trace.proto.
_RESOURCE_SPANS: Final = b"\x0a"
_SCOPE_SPANS: Final = b"\x12"
_SPANS: Final = b"\x12"


class _Envelope(NamedTuple):
    """What stands around the spans of one origin."""

    resource: bytes
    scope: bytes


class RequestEncoding:
    """Encodes the spans of one incident. Not for several threads at once.

    Args:
        builder: builds the spans that are left to the official encoder.
        origins: of the incident's spans.
        guard: notes spans that cannot be encoded at all; the others go out.
    """

    def __init__(self, builder: SpanBuilder, origins: SpanOrigins, guard: Guard) -> None:
        self._builder = builder
        self._origins = origins
        self._guard = guard
        self._spans = SpanEncoding(builder)
        self._envelope = functools.lru_cache(_MOST_ENVELOPES)(_official_envelope)

    def encode(self, found: Iterable[WindowSpan], official: OfficialEncoder) -> bytes:
        """Return the request with these spans."""
        requests: list[bytes] = []
        grouped: dict[Origin, list[bytes]] = {}
        group: list[bytes] = []
        last: WindowSpan | None = None
        for span in found:
            try:
                encoded = self._spans.encode(span.record)
                if last is None or not _is_of_one_origin(span, last):
                    origin = self._origins.of(span.scope, span.resource)
                    group, last = grouped.setdefault(origin, []), span
            except Exception:  # noqa: BLE001  (whatever it is, the official encoder may know)
                requests.append(self._officially(span, official))
                continue
            group.append(encoded)
        requests += self._enveloped(grouped, official)
        return b"".join(requests)

    def _officially(self, found: WindowSpan, official: OfficialEncoder) -> bytes:
        try:
            message: bytes = official([self._builder.build(found)]).SerializePartialToString()
        except Exception as error:  # noqa: BLE001  (one odd record must not hold up the others)
            self._guard.note("encode span", error)
            return b""
        return message

    def _enveloped(
        self, grouped: dict[Origin, list[bytes]], official: OfficialEncoder
    ) -> Iterator[bytes]:
        """Yield a request for each resource."""
        resources: dict[bytes, list[bytes]] = {}
        for origin, spans in grouped.items():
            envelope = self._envelope(origin, official)
            scope_spans = b"".join((envelope.scope, _SPANS, _SPANS.join(spans)))
            resources.setdefault(envelope.resource, []).append(delimited(scope_spans))
        for resource, scopes in resources.items():
            resource_spans = b"".join((resource, _SCOPE_SPANS, _SCOPE_SPANS.join(scopes)))
            yield _RESOURCE_SPANS + delimited(resource_spans)


def _is_of_one_origin(span: WindowSpan, other: WindowSpan) -> bool:
    return span.scope is other.scope and span.resource is other.resource


def _official_envelope(origin: Origin, official: OfficialEncoder) -> _Envelope:
    empty = RecordedSpan(
        "",
        INVALID_SPAN_CONTEXT,
        parent=None,
        resource=origin.resource,
        scope=origin.scope,
        attributes={},
        start_ns=0,
        end_ns=0,
    )
    (resource_spans,) = official([empty]).resource_spans
    (scope_spans,) = resource_spans.scope_spans
    scope_spans.ClearField("spans")
    scope = scope_spans.SerializePartialToString()
    resource_spans.ClearField("scope_spans")
    return _Envelope(resource_spans.SerializePartialToString(), scope)


@functools.cache
def is_faithful(official: OfficialEncoder) -> bool:
    """Whether this encoding and an official encoder agree on spans that have all there is."""
    manifest = Manifest(incident_id="sample", resource={"service.name": "sample"})
    try:
        origins = SpanOrigins(manifest)
        builder = SpanBuilder(manifest, origins, is_standalone=True)
        ours = RequestEncoding(builder, origins, Guard()).encode(_sample(), official)
        theirs = official([builder.build(found) for found in _sample()])
    except Exception:  # noqa: BLE001  (a version that works differently altogether)
        return False
    return bool(type(theirs).FromString(ours) == theirs)


def _sample() -> Iterator[WindowSpan]:
    resource = ResourceDefinition(1, {"service.name": "sample", "n": 1}, "https://example.org/r")
    scope = ScopeDefinition(1, 1, "sample", "1.0", "https://example.org/s", {"team": "a"})
    values: dict[str, Any] = {"text": "ö", "none": "", "int": -1, "float": 0.5, "bool": True}
    lists: dict[str, Any] = {"texts": ["a", "b"], "ints": [1, 2], "empty": []}
    extras: dict[str, Any] = {
        records.EXTRA_TRACE_STATE: "a=1,b=2",
        records.EXTRA_DROPPED_ATTRIBUTES: 1,
        records.EXTRA_DROPPED_EVENTS: 2,
        records.EXTRA_DROPPED_LINKS: 3,
    }
    event = Event("event", 5, dict(values), 1)
    links = [Link(1, 2, 3, flags, dict(lists), 1, "a=1") for flags in (1, 0x101)]
    for kind, flags in ((0, 1), (1, 0x101), (2, 0), (3, 0x100), (4, 1)):
        status = (0, 1, 2, (2, "refused"))[kind % 4]
        attributes = {**values, **lists}
        fields = (1, 2, 3 + kind, kind, flags, 1, "span", kind, 7, 8)
        span = Span(*fields, attributes, (event,), tuple(links), status, dict(extras))
        yield WindowSpan(span, kind, scope, resource)
        yield WindowSpan(Span(*fields, {}, (), (), status), kind, None, None)
