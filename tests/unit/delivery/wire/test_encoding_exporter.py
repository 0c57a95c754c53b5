"""The official exporters send what we encoded, and encode by themselves where we cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import SpanContext

from otel_flight.delivery.chunks import OFFICIAL_SPANS, SpanChunk
from otel_flight.delivery.otlp.spans import RecordedSpan
from otel_flight.delivery.pacing import Pacer
from otel_flight.delivery.wire.encoding_exporter import encoding_exporter
from tests.support.receivers.otlp_receiver import OtlpReceiver

OFFICIAL = {"grpc": GrpcExporter, "http/protobuf": HttpExporter}


def made(name: str) -> ReadableSpan:
    """Return a span of this name."""
    return RecordedSpan(
        name,
        SpanContext(1, 2, False),
        parent=None,
        resource=Resource({"service.name": "shop"}),
        scope=None,
        attributes={},
        start_ns=1,
        end_ns=2,
    )


def paced(names: Sequence[str], encode: Callable[..., Any] | None = None) -> SpanChunk:
    """Return a chunk of spans of these names."""
    return SpanChunk(made, names, Pacer(1.0, sleep=lambda seconds: None), encode)


def encode_renamed(names: Iterable[str], official: Callable[..., Any]) -> bytes:
    """Encode a chunk in a way that shows at the receiver."""
    message: bytes = official([made(f"encoded {name}") for name in names]).SerializeToString()
    return message


def exporter_for(
    receiver: OtlpReceiver, transport: Any, make: Callable[..., SpanExporter]
) -> SpanExporter:
    """Return an exporter that sends to the receiver."""
    path = "/v1/traces" if transport == "http/protobuf" else ""
    return make(endpoint=receiver.endpoint(transport) + path)


@pytest.mark.parametrize("transport", OFFICIAL)
def test_a_chunk_is_sent_as_we_encoded_it(transport: str) -> None:
    """The official encoder has no part in it, the official transport sends it."""
    with OtlpReceiver() as receiver:
        exporter = exporter_for(receiver, transport, encoding_exporter(OFFICIAL[transport]))

        result = exporter.export(paced(["a", "b"], encode_renamed))
        exporter.shutdown()

        assert result is SpanExportResult.SUCCESS
        assert [item.span.name for item in receiver.spans()] == ["encoded a", "encoded b"]


@pytest.mark.parametrize("transport", OFFICIAL)
def test_a_retry_sends_the_same_again(transport: str) -> None:
    """What was refused for the moment is there in the end, once."""
    with OtlpReceiver() as receiver:
        receiver.refuse_next()
        exporter = exporter_for(receiver, transport, encoding_exporter(OFFICIAL[transport]))

        result = exporter.export(paced(["a"], encode_renamed))
        exporter.shutdown()

        assert result is SpanExportResult.SUCCESS
        assert [len(request.message.resource_spans) for request in receiver.refused] == [1]
        assert [item.span.name for item in receiver.spans()] == ["encoded a"]


@pytest.mark.parametrize("transport", OFFICIAL)
@pytest.mark.parametrize("spans", [paced(["a"]), [made("a")]], ids=["paced", "list"])
def test_other_spans_are_encoded_as_ever(transport: str, spans: Sequence[ReadableSpan]) -> None:
    """The incident's own spans come without an encoding."""
    with OtlpReceiver() as receiver:
        exporter = exporter_for(receiver, transport, encoding_exporter(OFFICIAL[transport]))

        result = exporter.export(spans)
        exporter.shutdown()

        assert result is SpanExportResult.SUCCESS
        assert [item.span.name for item in receiver.spans()] == ["a"]


@pytest.mark.parametrize("transport", OFFICIAL)
def test_the_applications_own_exporter_is_untouched(transport: str) -> None:
    """An exporter of the official class itself does not even know our encoding."""
    encoding_exporter(OFFICIAL[transport])
    with OtlpReceiver() as receiver:
        exporter = exporter_for(receiver, transport, OFFICIAL[transport])

        exporter.export(paced(["a"], encode_renamed))
        exporter.shutdown()

        assert [item.span.name for item in receiver.spans()] == ["a"]


@pytest.mark.parametrize("transport", OFFICIAL)
def test_it_is_an_official_exporter(transport: str) -> None:
    """Made once, it is a subclass of the same name, for who looks at either."""
    made_class = encoding_exporter(OFFICIAL[transport])

    assert isinstance(made_class, type)
    assert issubclass(made_class, OFFICIAL[transport])
    assert made_class.__name__ == "OTLPSpanExporter"
    assert encoding_exporter(OFFICIAL[transport]) is made_class


class ForeignExporter(SpanExporter):
    """An exporter that encodes in a way of its own."""

    def __init__(self, failing_at: int = -1) -> None:
        self.exported: list[list[str]] = []
        self._failing_at = failing_at

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Keep the names; fail when it is time to."""
        is_failing = len(self.exported) == self._failing_at
        self.exported.append([span.name for span in spans])
        return SpanExportResult.FAILURE if is_failing else SpanExportResult.SUCCESS


def test_an_exporter_of_another_make_gets_small_portions() -> None:
    """It would hold the interpreter for milliseconds to encode a whole chunk."""
    names = [f"span {number}" for number in range(2 * OFFICIAL_SPANS + 1)]
    exporter = encoding_exporter(ForeignExporter)()

    result = exporter.export(paced(names, encode_renamed))

    assert isinstance(exporter, ForeignExporter)
    assert result is SpanExportResult.SUCCESS
    assert [len(portion) for portion in exporter.exported] == [OFFICIAL_SPANS, OFFICIAL_SPANS, 1]
    assert [name for portion in exporter.exported for name in portion] == names


def test_a_portion_that_fails_is_the_last_one() -> None:
    """The chunk has failed as a whole."""
    names = [f"span {number}" for number in range(3 * OFFICIAL_SPANS)]
    exporter = encoding_exporter(ForeignExporter)(failing_at=1)

    result = exporter.export(paced(names))

    assert isinstance(exporter, ForeignExporter)
    assert result is SpanExportResult.FAILURE
    assert len(exporter.exported) == 2


def test_an_encoder_that_differs_encodes_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """An official encoder that would send something else than ours is not replaced."""
    official = encode_spans

    def encode_otherwise(spans: Sequence[ReadableSpan]) -> Any:
        request = official(spans)
        for group in request.resource_spans:
            group.schema_url = "https://example.org/other"
        return request

    class NewExporter(ForeignExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            encoded = encode_spans(spans)
            groups = encoded.resource_spans
            return super().export([made(group.schema_url) for group in groups])

    monkeypatch.setitem(globals(), "encode_spans", encode_otherwise)
    exporter = encoding_exporter(NewExporter)()

    exporter.export(paced(["a"], encode_renamed))

    assert isinstance(exporter, NewExporter)
    assert exporter.exported == [["https://example.org/other"]]


def test_what_stands_in_for_the_class_stays() -> None:
    """Tests, and instrumentations, put functions where the class is."""

    def make() -> SpanExporter:
        return ForeignExporter()

    assert encoding_exporter(make) is make
