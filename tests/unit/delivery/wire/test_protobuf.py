"""What is written byte by byte is what the official protobuf library writes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from otel_flight.delivery.wire.protobuf import delimited, varint

_INT_FIELD = b"\x18"
_BYTES_FIELD = b"\x3a"


@given(st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(-300, 300) | st.integers(2000, 2100))
def test_integers_are_varints(number: int) -> None:
    """Any 64-bit integer has the bytes that protobuf gives it."""
    assert _INT_FIELD + varint(number) == AnyValue(int_value=number).SerializeToString()


@given(st.sampled_from([0, 1, 127, 128, 2047, 2048, 16383, 16384, 1 << 21]))
def test_data_has_its_length_in_front(size: int) -> None:
    """Whatever its size, it has the length that protobuf gives it."""
    data = b"x" * size

    assert _BYTES_FIELD + delimited(data) == AnyValue(bytes_value=data).SerializeToString()
