"""Ids as text and back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from otel_flight.records.ids import id_of, span_text, trace_text


@given(st.integers(1, 2**128 - 1))
def test_a_trace_id_has_32_digits(trace_id: int) -> None:
    """Leading zeros included; the digits give the id back."""
    assert len(trace_text(trace_id)) == 32
    assert id_of(trace_text(trace_id)) == trace_id


@given(st.integers(1, 2**64 - 1))
def test_a_span_id_has_16_digits(span_id: int) -> None:
    """Leading zeros included; the digits give the id back."""
    assert len(span_text(span_id)) == 16
    assert id_of(span_text(span_id)) == span_id


def test_no_id_is_an_empty_text() -> None:
    """0 is no id of a trace or span."""
    assert trace_text(0) == span_text(0) == ""
    assert id_of("") == 0
