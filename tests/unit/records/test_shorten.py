"""Values that take too much room are shortened, and say so."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_flight.records.shorten import LENGTHS, RoughShortener, Shortener, is_longer

_LEAVES = st.none() | st.integers(0, 99) | st.text(max_size=300) | st.binary(max_size=300)
_VALUES = st.recursive(
    _LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=200), inner)
)


def shorten(value: Any, length: int) -> tuple[Any, int]:
    """Return an attribute's value shortened, and how many bytes that took."""
    shortener = Shortener()
    ((shortened,),) = (field.values() for field in shortener.shorten([{"key": value}], length))
    return shortened, shortener.cut_bytes


def test_short_values_stay_as_they_are() -> None:
    """Nothing is touched, and nothing counted, where nothing is too long."""
    record = [1, "name", {"a": "x" * 64, "b": [1, 2, {"c": b"y" * 64}]}, [["event", 1, {}, 0]]]

    shortener = Shortener()

    assert shortener.shorten(record, 64) == record
    assert shortener.cut_bytes == 0


@pytest.mark.parametrize("letter", ["x", "é", "€", "🦜"])
def test_a_string_says_how_much_is_missing(letter: str) -> None:
    """Strings are cut between characters, and the mark counts bytes."""
    text = letter * 1000

    shortened, cut_bytes = shorten(text, 64)

    kept, _, mark = shortened.partition("…")
    assert text.startswith(kept)
    assert 60 < len(kept.encode()) <= 64
    lost = len(text.encode()) - len(kept.encode())
    assert mark == f"[+{lost} bytes]"
    assert cut_bytes == lost


def test_no_mark_is_longer_than_what_it_replaces() -> None:
    """A string that is only a little too long is left whole."""
    assert shorten("x" * 80, 64) == ("x" * 80, 0)


def test_bytes_are_cut() -> None:
    """Byte strings end at the limit; they have no room for a mark, only a count."""
    assert shorten(b"x" * 1000, 64) == (b"x" * 64, 936)


def test_a_long_list_keeps_its_beginning() -> None:
    """A list inside an attribute ends with a mark that says how many items are missing."""
    shortened, cut_bytes = shorten(list(range(1000)), 256)

    assert shortened == [*range(32), "…[+968 items]"]
    assert cut_bytes == 968


def test_what_was_cut_before_is_cut_as_if_it_were_whole() -> None:
    """Marks are neither cut nor counted: in the end they say how much of the first is missing."""
    whole = {
        "text": "x" * 100_000,
        "list": list(range(100_000)),
        "map": {f"{number}": number for number in range(100_000)},
    }

    once = Shortener().shorten_value(whole, 64)
    twice = Shortener().shorten_value(Shortener().shorten_value(whole, 16384), 64)
    roughly = Shortener().shorten_value(RoughShortener().shorten_value(whole, 16384), 64)

    assert once == twice == roughly
    assert once["text"] == "x" * 64 + "…[+99936 bytes]"


@pytest.mark.parametrize("letter", ["é", "€", "🦜"])
def test_a_rough_cut_counts_characters(letter: str) -> None:
    """To count the bytes of a long text takes long: what is cut in haste counts what it can."""
    (roughly,) = RoughShortener().shorten([letter * 100_000], 1024)
    (shortened,) = Shortener().shorten([roughly], 64)

    assert roughly == letter * 1024 + "…[+98976 characters]"
    kept = 64 // len(letter.encode())
    assert shortened == f"{letter * kept}…[+{100_000 - kept} characters]"


def test_a_mark_of_the_program_itself_is_only_text() -> None:
    """A text that merely ends in such a mark stays as it is, unless it is too long."""
    text = "seen …[+7 bytes]"

    assert Shortener().shorten_value([text, text], 64) == [text, text]
    assert shorten("x" * 200 + text, 64)[0] == "x" * 64 + "…[+148 bytes]"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["x" * 1000], False),
        (["x" * 1001], True),
        ([{"a": ["x" * 500, "y" * 500]}], True),
        ([{"x" * 1001: 1}], True),
        ([[[b"x" * 1001]]], True),
        ([range(10_000)], False),
        ([list(range(1001))], True),
        ([1, None, 2.5, object()], False),
    ],
)
def test_a_short_look_tells_what_is_too_long(values: list[Any], expected: bool) -> None:
    """It counts characters and items, of values inside of values too."""
    assert is_longer(values, 1000) is expected


def test_a_short_look_is_short() -> None:
    """What contains itself is not looked at for ever."""
    endless: list[Any] = []
    endless.extend([endless] * 10)

    assert is_longer([endless], 10_000)
    assert not is_longer([[]] * 10, 1_000_000)


def test_a_long_map_keeps_its_beginning() -> None:
    """A map inside an attribute says under a key of its own how many entries are missing."""
    shortened, _ = shorten({f"key {number}": number for number in range(100)}, 64)

    assert list(shortened) == [*(f"key {number}" for number in range(16)), "…"]
    assert shortened["…"] == "[+84 items]"


def test_keys_that_become_equal_are_kept_apart() -> None:
    """Two long keys with the same beginning do not become one."""
    shortened, _ = shorten({"x" * 200 + "a": 1, "x" * 200 + "b": 2}, 64)

    assert sorted(shortened.values()) == [1, 2]


def test_the_keys_of_a_span_that_become_equal_are_kept_apart() -> None:
    """The same holds for the attributes of the span itself."""
    (shortened,) = Shortener().shorten([{"x" * 200 + "a": 1, "x" * 200 + "b": 2}], 64)

    assert sorted(shortened.values()) == [1, 2]


def test_the_number_of_attributes_events_and_links_is_left_alone() -> None:
    """Only what is in them is shortened: leaving them out is counted elsewhere."""
    attributes = {f"key {number}": "x" * 500 for number in range(1000)}
    events = [["event", number, {}, 0] for number in range(1000)]

    shortened = Shortener().shorten([attributes, events, (2, "y" * 500)], 64)

    assert len(shortened[0]) == len(shortened[1]) == 1000
    assert shortened[2][0] == 2
    assert shortened[2][1].startswith("y" * 64 + "…")


@given(_VALUES, st.sampled_from(LENGTHS))
def test_what_is_left_is_no_longer_than_asked(value: Any, length: int) -> None:
    """No string is longer than its limit and mark, and a record never grows."""
    shortened, _ = shorten(value, length)

    def check(part: Any) -> None:
        if isinstance(part, (str, bytes)):
            assert len(part if isinstance(part, bytes) else part.encode()) <= length + 24
        elif isinstance(part, dict):
            check(list(part))
            check(list(part.values()))
        elif isinstance(part, list):
            for item in part:
                check(item)

    check(shortened)
    grown = len(msgspec.msgpack.encode(shortened)) - len(msgspec.msgpack.encode(value))
    assert grown <= 0
