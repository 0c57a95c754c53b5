"""The official exporters, with our encoding for chunks of recorded spans.

Everything but the encoding stays theirs: transport, compression, headers, TLS, retries. Both call
`encode_spans`, a name in their module. What does not work: setting that name, which would reach
into the application's own exporters; our own request in their transport, which is private and was
rewritten several times. So a subclass gets copies of the few methods that use the name, for which
it means ours. Without such methods, the exporter encodes as ever: slower, and in smaller portions.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, Final, cast

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from otel_flight.delivery.chunks import OFFICIAL_SPANS, SpanChunk
from otel_flight.delivery.wire.requests import is_faithful

_ENCODER: Final = "encode_spans"
_SERIALIZE: Final = "SerializePartialToString"


@functools.cache
def encoding_exporter(official: Callable[..., SpanExporter]) -> Callable[..., SpanExporter]:
    """Return a subclass of an official exporter that encodes recorded spans our way if it can."""
    if not isinstance(official, type):  # something that stands in for the class
        return official
    exporter_class = cast("type[SpanExporter]", official)
    methods = {
        name: _with_our_encoder(method)
        for name, method in vars(exporter_class).items()
        if isinstance(method, FunctionType)
        and _ENCODER in method.__code__.co_names
        and is_faithful(method.__globals__[_ENCODER])
    }
    own: dict[str, Any] = methods or {"export": _in_portions(exporter_class.export)}
    made = types.new_class(
        exporter_class.__name__, (exporter_class,), exec_body=lambda body: body.update(own)
    )
    return cast("type[SpanExporter]", made)


class _Serialized:
    """A request that needs no message in between, which would be read in one long piece."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def SerializePartialToString(self) -> bytes:  # noqa: N802  (protobuf's name)
        """Return the request's bytes."""
        return self._data


def _with_our_encoder(method: FunctionType) -> FunctionType:
    official = method.__globals__[_ENCODER]
    is_serialized_at_once = _SERIALIZE in method.__code__.co_names

    def encode_spans(spans: Sequence[ReadableSpan]) -> Any:
        if not isinstance(spans, SpanChunk) or (data := spans.encoded(official)) is None:
            return official(spans)
        if is_serialized_at_once:
            return _Serialized(data)
        message = type(official(())).FromString(data)
        spans.yield_gil()
        return message

    copy = FunctionType(
        method.__code__,
        {**method.__globals__, _ENCODER: encode_spans},
        method.__name__,
        method.__defaults__,
        method.__closure__,
    )
    copy.__kwdefaults__ = method.__kwdefaults__
    return copy


def _in_portions(
    export: Callable[[Any, Sequence[ReadableSpan]], SpanExportResult],
) -> Callable[[Any, Sequence[ReadableSpan]], SpanExportResult]:
    def export_portions(self: Any, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if not isinstance(spans, SpanChunk):
            return export(self, spans)
        for start in range(0, len(spans), OFFICIAL_SPANS):
            result = export(self, spans.part(start, start + OFFICIAL_SPANS))
            if result is not SpanExportResult.SUCCESS:
                return result
        return SpanExportResult.SUCCESS

    return export_portions
