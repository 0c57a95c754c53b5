"""Durations and sizes survive being written and read back, whatever they are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from otel_flight.errors import InvalidQuantity
from otel_flight.settings.quantities import format_duration, format_size, parse_duration, parse_size

DURATIONS = st.just(0.0) | st.floats(min_value=1e-12, max_value=1e12)
SIZES = st.integers(min_value=0, max_value=2**62)


@given(DURATIONS)
def test_a_written_duration_reads_as_the_same_float(seconds: float) -> None:
    """Writing and reading a duration changes no bit of it."""
    assert parse_duration(format_duration(seconds)) == seconds


@given(SIZES)
def test_a_written_size_reads_as_the_same_number(size_bytes: int) -> None:
    """Writing and reading a size changes nothing."""
    assert parse_size(format_size(size_bytes)) == size_bytes


@given(st.integers(min_value=1, max_value=10**6), st.sampled_from(["d", "h", "m", "s", "ms", "us"]))
def test_a_read_duration_is_written_no_longer(number: int, unit: str) -> None:
    """A duration that someone wrote as a whole number is not shown as something longer."""
    assert len(format_duration(parse_duration(f"{number}{unit}"))) <= len(f"{number}{unit}") + 1


@given(st.text(max_size=20))
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    """Nothing but `InvalidQuantity` comes out of reading a duration, and what is read is one."""
    try:
        seconds = parse_duration(text)
    except InvalidQuantity:
        return

    assert parse_duration(format_duration(seconds)) == seconds


@given(st.text(max_size=20))
def test_any_text_is_a_size_or_refused(text: str) -> None:
    """Nothing but `InvalidQuantity` comes out of reading a size, and what is read is one."""
    try:
        size_bytes = parse_size(text)
    except InvalidQuantity:
        return

    assert parse_size(format_size(size_bytes)) == size_bytes
