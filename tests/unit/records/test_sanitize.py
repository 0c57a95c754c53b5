"""Values that msgpack cannot hold become values that it can, and nothing raises on the way."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import pytest

from otel_flight.records.sanitize import Sanitizer, as_text, free_key


class Text(str):
    """A string of a class of its own, as template engines have it."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        """Fail: nothing of a subclass may be called."""
        raise AssertionError

    def __str__(self) -> str:
        raise AssertionError


class Count(int):
    """A whole number of a class of its own."""

    def __int__(self) -> int:
        raise AssertionError


class Share(float):
    """A float of a class of its own, as numpy has it."""

    __slots__ = ()

    def __float__(self) -> float:
        raise AssertionError


class Color(enum.IntEnum):
    """An enumeration that is a number."""

    RED = 3


class Unprintable:
    """An object whose every conversion to text raises."""

    def __repr__(self) -> str:
        raise RuntimeError("no text")


class Liar(Unprintable):
    """An object that lies about its class, and raises when asked."""

    @property
    def __class__(self) -> type:
        raise RuntimeError("no class")

    @__class__.setter
    def __class__(self, value: type) -> None:
        raise RuntimeError("no class")


class BrokenMap(Mapping[str, int]):
    """A mapping that cannot be iterated."""

    def __getitem__(self, key: str) -> int:
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        raise OSError("gone")

    def __repr__(self) -> str:
        return "BrokenMap()"

    def __len__(self) -> int:
        return 1


class EndlessList(Sequence[int]):
    """A sequence without an end."""

    def __getitem__(self, index: Any) -> Any:
        return index

    def __len__(self) -> int:
        return 3


def holds_itself() -> list[Any]:
    """Return a list that contains itself ten times, so that following it never ends."""
    items: list[Any] = []
    items.extend([items] * 10)
    return items


def clean(value: Any) -> tuple[Any, int]:
    """Return the cleaned value, which msgpack must accept, and how many were converted."""
    sanitizer = Sanitizer()
    cleaned = sanitizer.clean(value)
    msgspec.msgpack.encode(cleaned)
    return cleaned, sanitizer.converted


@pytest.mark.parametrize(
    "value",
    [None, True, 1.5, "text", "", b"bytes", 0, -(1 << 63), (1 << 64) - 1, [1, ["a"]], {"a": {}}],
)
def test_what_msgpack_holds_stays_as_it_is(value: Any) -> None:
    """Ordinary values are neither changed nor counted."""
    assert clean(value) == (value, 0)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Text("a"), "a"),
        (Count(7), 7),
        (Share(0.5), 0.5),
        (Color.RED, 3),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"ab"), b"ab"),
        ((1, 2), [1, 2]),
        (range(3), [0, 1, 2]),
        (frozenset({"a"}), ["a"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_same_value_of_another_class_is_no_conversion(value: Any, expected: Any) -> None:
    """Subclasses become the plain value, without any of their methods being called."""
    cleaned, converted = clean(value)

    assert (cleaned, type(cleaned), converted) == (expected, type(expected), 0)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1 << 64, "0x10000000000000000"),
        (-(1 << 63) - 1, "-0x8000000000000001"),
        (1 << 100_000, hex(1 << 100_000)),
        ("a\ud800b", "a\\ud800b"),
        (Text("\udfff"), "\\udfff"),
        (1 + 2j, "(1+2j)"),
        (Unprintable(), "<Unprintable>"),
        (Liar(), "<Liar>"),
        (BrokenMap(), "<BrokenMap>"),
    ],
    ids=[
        "large",
        "small",
        "huge",
        "surrogate",
        "subclass",
        "foreign",
        "unprintable",
        "liar",
        "broken",
    ],
)
def test_what_msgpack_cannot_hold_becomes_text_and_is_counted(value: Any, expected: str) -> None:
    """Each conversion is counted, and none of them raises."""
    assert clean(value) == (expected, 1)


def test_keys_become_text_too() -> None:
    """Keys that are no strings are converted; keys that become equal are kept apart."""
    cleaned, converted = clean({1: "a", "1": "b", None: "c", "\ud800": "d", "\\ud800": "e"})

    assert cleaned == {"1": "a", "1#1": "b", "None": "c", "\\ud800": "d", "\\ud800#4": "e"}
    assert converted == 3


def test_what_is_nested_too_deep_becomes_text() -> None:
    """A value is followed for some levels, and then only its type is recorded."""
    value: Any = "innermost"
    for _ in range(100):
        value = {"a": [value]}

    cleaned, converted = clean(value)

    assert converted == 1
    assert len(str(cleaned)) < 500


@pytest.mark.parametrize("endless", [holds_itself, EndlessList], ids=["cycle", "endless"])
def test_what_never_ends_is_cut_off(endless: Callable[[], Any]) -> None:
    """A value without an end costs a bounded time, and is marked where it was left."""
    cleaned, converted = clean({"endless": endless(), "after": 1})

    assert converted >= 1
    assert cleaned


def test_any_object_has_a_text() -> None:
    """A text can always be encoded, and always be had."""
    assert as_text("a\ud800") == "a\\ud800"
    assert as_text(1.0) == "1.0"
    assert as_text(None) == "None"
    assert as_text(Unprintable()) == "<Unprintable>"
    assert as_text(Liar()) == "<Liar>"
    assert as_text(holds_itself()) == "<list>"


def test_a_free_key_is_found_next_to_a_taken_one() -> None:
    """A taken key gets the first number that is free."""
    assert free_key("a", {}) == "a"
    assert free_key("a", {"a": 1, "a#2": 2}) == "a#3"
