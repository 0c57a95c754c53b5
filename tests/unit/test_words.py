"""How times, sizes, counts and names read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_flight.words import age, count, in_ascii, moment, one_line, quoted, short_duration, size


@pytest.mark.parametrize(
    ("nanoseconds", "words"),
    [(0, "0s"), (-5, "0s"), (12_345, "12.3us"), (2_412_345_678, "2.41s"), (90 * 10**9, "90s")],
)
def test_a_duration_has_three_digits(nanoseconds: int, words: str) -> None:
    """And a unit; what is negative, as clocks are set, is none."""
    assert short_duration(nanoseconds) == words


def test_sizes_counts_and_moments() -> None:
    """In the units that people read."""
    assert [size(1023), size(1536), size(9 << 30)] == ["1023 B", "1.5 KiB", "9.0 GiB"]
    assert [count(1, "span"), count(12_345, "span")] == ["1 span", "12 345 spans"]
    assert [age(3 * 10**9), age(19 * 60 * 10**9)] == ["3 s ago", "19 min ago"]
    assert [moment(0), moment(1 << 90)] == ["unknown", "unknown"]
    assert moment(1_767_261_602_600_000_000) == "2026-01-01 10:00:02.600 UTC"


@given(st.text(), st.integers(2, 50))
def test_a_text_in_one_line_obeys_nothing(text: str, longest: int) -> None:
    """Whatever a terminal would obey is gone, and it is no longer than asked for."""
    line = one_line(text, longest)

    assert line.isprintable()
    assert len(line) <= longest


def test_a_cut_name_shows_it() -> None:
    """With one character for what is missing, which has a plain form."""
    assert quoted("GET /a\nvery long name", 12) == "`GET /a very…`"
    assert in_ascii("├ GET…") == "| GET."
