"""Durations and sizes as people write them."""

from __future__ import annotations

import decimal

import pytest

from otel_flight.errors import InvalidQuantity
from otel_flight.settings.quantities import format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("2s", 2.0),
        ("1.5s", 1.5),
        ("1m", 60.0),
        ("0.5m", 30.0),
        ("1h", 3600.0),
        ("250us", 0.00025),
        ("250µs", 0.00025),
        ("100ns", 1e-7),
        (" 2 s ", 2.0),
        ("0", 0.0),
        ("0s", 0.0),
    ],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    """A number with a unit is the seconds it stands for, to the last bit."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["5", "1.5", " 60 "])
def test_a_duration_without_unit_is_refused_with_a_way_out(text: str) -> None:
    """A bare number could be seconds or milliseconds, so the message shows both to choose from."""
    with pytest.raises(InvalidQuantity) as raised:
        parse_duration(text)

    number = text.strip()
    assert str(raised.value) == f"{text!r} has no unit: write {number}s or {number}ms"


@pytest.mark.parametrize(
    "text", ["", "s", "abc", "-1s", "+1s", "1e3s", "1,5s", "1m30s", "inf", "nan", "٣s", "1" * 5000]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    """Signs, exponents, commas, foreign digits and endless numbers are no durations."""
    with pytest.raises(InvalidQuantity, match="is not a duration: write it as 500ms, 2s or 1m"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["1w", "1min", "1M", "5S"])
def test_an_unknown_unit_of_time_is_refused_with_the_known_ones(text: str) -> None:
    """Units are case-sensitive, and the message lists them."""
    with pytest.raises(InvalidQuantity, match="use one of d, h, m, s, ms, us, ns"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.1, "100ms"),
        (1.0, "1s"),
        (1.5, "1.5s"),
        (60, "1m"),
        (90, "90s"),
        (3600, "1h"),
        (86400.0, "1d"),
        (0.00025, "250us"),
        (1e-9, "1ns"),
        (1e-10, "0.1ns"),
    ],
)
def test_a_duration_is_written_in_its_longest_whole_unit(seconds: float, text: str) -> None:
    """A duration is written the way a person would."""
    assert format_duration(seconds) == text


@pytest.mark.parametrize("seconds", [-1.0, float("inf"), float("nan")])
def test_what_is_no_duration_is_not_written(seconds: float) -> None:
    """There is no text for a negative, infinite or undefined duration."""
    with pytest.raises(InvalidQuantity, match="finite and at least 0"):
        format_duration(seconds)


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("64KiB", 65536),
        ("16MiB", 16 * 1024**2),
        ("1.5MiB", 1536 * 1024),
        ("1GiB", 1024**3),
        ("1MB", 1_000_000),
        ("1gib", 1024**3),
        ("512B", 512),
        ("1024", 1024),
        ("16 MiB", 16 * 1024**2),
        ("0", 0),
    ],
)
def test_a_size_is_read_in_bytes(text: str, size_bytes: int) -> None:
    """A number with or without a unit is the bytes it stands for, in any case."""
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("16M", "write MiB or MB"),
        ("16Q", "use TiB, GiB, MiB, KiB, TB, GB, MB, KB"),
        ("16bit", "use TiB, GiB, MiB, KiB, TB, GB, MB, KB"),
        ("-1MiB", "write it as 64KiB, 16MiB or 1GB"),
        ("", "write it as 64KiB, 16MiB or 1GB"),
        ("0.3KiB", "write a whole number"),
        ("1.5", "write a whole number"),
    ],
)
def test_what_is_no_size_is_refused_with_what_to_write(text: str, advice: str) -> None:
    """Ambiguous and unknown units and fractions of a byte are refused."""
    with pytest.raises(InvalidQuantity) as raised:
        parse_size(text)

    assert advice in str(raised.value)


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0B"),
        (1023, "1023B"),
        (61440, "60KiB"),
        (2 * 1024**2, "2MiB"),
        (1024**4, "1TiB"),
        (1_500_000, "1500KB"),
    ],
)
def test_a_size_is_written_in_the_largest_unit_that_divides_it(size_bytes: int, text: str) -> None:
    """A size is written without a fraction, so that it is exact."""
    assert format_size(size_bytes) == text


def test_a_negative_size_is_not_written() -> None:
    """There is no text for a negative size."""
    with pytest.raises(InvalidQuantity, match="at least 0"):
        format_size(-1)


def test_the_decimal_context_of_the_application_does_not_matter() -> None:
    """An application that computes with three digits gets the same durations and sizes."""
    with decimal.localcontext() as context:
        context.prec = 3
        context.traps[decimal.Inexact] = True

        assert parse_duration("1.23456s") == 1.23456
        assert format_duration(1.23456) == "1.23456s"
        assert parse_size("1234567KiB") == 1234567 * 1024
