"""Attributes encoded here are what the official encoder makes of them, however often they come."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanProto
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import SpanContext

from otel_flight.delivery.otlp.spans import RecordedSpan
from otel_flight.delivery.wire.attributes import AttributeEncoding, Unencodable

_TAG = b"\x4a"
"""Of a span's attributes."""

USUAL: dict[str, Any] = {
    "text": "größe ✓",
    "no text": "",
    "long": "x" * 5000,
    "": "no key",
    "lowest": -(1 << 63),
    "highest": (1 << 63) - 1,
    "zero": 0,
    "bool": True,
    "float": 0.1,
    "infinite": float("inf"),
    "not a number": float("nan"),
    "texts": ["a", "", "ö"],
    "mixed": ["a", 1, 0.5, False],
    "many": list(range(1000)),
    "nothing": [],
}


def officially(attributes: dict[str, Any]) -> list[bytes]:
    """Return what the official encoder makes of attributes."""
    span = RecordedSpan(
        "",
        SpanContext(1, 2, False),
        parent=None,
        resource=Resource.get_empty(),
        scope=None,
        attributes=attributes,
        start_ns=0,
        end_ns=0,
    )
    message = encode_spans([span]).resource_spans[0].scope_spans[0].spans[0]
    return [item.SerializeToString() for item in message.attributes]


def encoded(encoding: AttributeEncoding, attributes: dict[str, Any]) -> bytes:
    """Return attributes as the part of a span that they are."""
    parts: list[bytes] = []
    encoding.extend(parts, attributes)
    return b"".join(parts)


def decoded(data: bytes) -> list[bytes]:
    """Return the attributes of a span that has nothing else."""
    return [item.SerializeToString() for item in SpanProto.FromString(data).attributes]


@pytest.mark.parametrize("key", USUAL)
def test_every_usual_value_is_encoded_as_ever(key: str) -> None:
    """Texts, numbers, bools and lists of those, alone and again from memory."""
    encoding = AttributeEncoding(_TAG)
    attributes = {key: USUAL[key]}

    first = encoded(encoding, attributes)
    again = encoded(encoding, attributes)

    assert decoded(first) == officially(attributes)
    assert again == first


def test_attributes_keep_their_order() -> None:
    """All of them are there, as they were set."""
    data = encoded(AttributeEncoding(_TAG), USUAL)

    assert decoded(data) == officially(USUAL)


def test_no_attributes_take_no_bytes() -> None:
    """An empty field is not there."""
    assert encoded(AttributeEncoding(_TAG), {}) == b""


@pytest.mark.parametrize("values", [(1, True, 1.0), (True, 1), (0.0, -0.0, 0, False)])
def test_equal_values_of_other_types_are_not_confused(values: tuple[Any, ...]) -> None:
    """What was remembered for `1` is not taken for `True`, nor `0.0` for `-0.0`."""
    encoding = AttributeEncoding(_TAG)

    for value in values:
        data = encoded(encoding, {"key": value})

        assert decoded(data) == officially({"key": value})


@pytest.mark.parametrize("value", [None, b"bytes", {"a": 1}, [["a"]], [None], 1 << 63, [1 << 63]])
def test_the_unusual_is_left_to_the_official_encoder(value: Any) -> None:
    """What versions of it treat differently, or not at all, is none of ours."""
    with pytest.raises(Unencodable):
        encoded(AttributeEncoding(_TAG), {"usual": 1, "key": value})


def test_a_text_that_is_none_is_refused() -> None:
    """A lone surrogate has no bytes; the official encoder leaves such an attribute out."""
    with pytest.raises(UnicodeEncodeError):
        encoded(AttributeEncoding(_TAG), {"key": "\ud800"})


def test_memory_is_bounded() -> None:
    """However many different attributes come by, and however long they are."""
    encoding = AttributeEncoding(_TAG)
    tracemalloc.start()
    try:
        for number in range(20_000):
            attributes = {f"key {number}": number, "id": f"{number}", "long": "x" * number}
            encoded(encoding, attributes)
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held_bytes < 3 * 1024 * 1024
