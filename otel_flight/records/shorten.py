"""Shorten a record's values, so that it fits into its limit: the longest lose first.

Every cut leaves a mark that says how much is missing, as `…[+123 bytes]` or `…[+123 items]`. What
was cut before is cut as if it were whole: its mark says what is missing in all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

from otel_flight.records.sanitize import free_key

LENGTHS: Final = (16384, 8192, 4096, 2048, 1024, 512, 256, 128, 64)
"""A string may be as long as this, in bytes: each length is tried until the record fits."""
_MARK_BYTES: Final = 24
"""What is too long by less than this stays whole: the mark of the cut would take as much."""
_BYTES_AN_ITEM: Final = 8
"""Lists and maps are cut to as many items as there would be, of this many bytes, in the length."""
_FEWEST_ITEMS: Final = 16
"""A list or map keeps at least this many items, however short the length."""
_MOST_LOOKED_AT: Final = 4096
"""At most this many values are looked at to see that they are too long."""
_MARK: Final = re.compile(r"…\[\+(\d{1,18}) (bytes|characters|items)\]\Z")
_LONGEST_MARK: Final = 40
"""No mark has more characters than this."""


class Shortener:
    """Shorten clean values, those of one record, say; may be asked several times."""

    def __init__(self) -> None:
        self.cut_bytes = 0
        """The last call of `shorten` cut this many bytes, or more: an item counts as one."""
        self._length = 0

    def shorten(self, fields: list[Any], length: int) -> list[Any]:
        """Return the record with every string at most `length` bytes, marked when cut.

        Lists and maps inside attributes are cut to as many items as `length` suggests. How many
        attributes, events and links there are is left alone.
        """
        self.cut_bytes = 0
        self._length = length
        return [self._field(field) for field in fields]

    def shorten_value(self, value: Any, length: int) -> Any:
        """Return a clean value shortened in the same way, the number of its own items included."""
        self.cut_bytes = 0
        self._length = length
        return self._value(value)

    def _field(self, field: Any) -> Any:
        if type(field) is dict:
            return self._entries(field.items())
        if type(field) in {list, tuple}:
            return [self._element(element) for element in field]
        return self._value(field)

    def _element(self, element: Any) -> Any:
        """Shorten an event or a link, or a part of the status."""
        if type(element) in {list, tuple}:
            return [self._value(item) for item in element]
        return self._value(element)

    def _value(self, value: Any) -> Any:
        kind = type(value)
        if kind is str:
            return self._string(value)
        if kind is bytes:
            self.cut_bytes += max(0, len(value) - self._length)
            return value[: self._length]
        if kind is dict:
            return self._map(value)
        if kind is list or kind is tuple:
            return self._list(value)
        return value

    def _list(self, value: list[Any] | tuple[Any, ...]) -> list[Any]:
        most = self._most_items(len(value))
        kept = [self._value(item) for item in value[:most]]
        if len(value) > most:
            self.cut_bytes += len(value) - most
            kept.append(f"…[+{_missing(value[-1], len(value) - most)} items]")
        return kept

    def _map(self, value: dict[str, Any]) -> dict[str, Any]:
        most = self._most_items(len(value))
        kept = self._entries(list(islice(value.items(), most)))
        if len(value) > most:
            self.cut_bytes += len(value) - most
            missing = _missing(f"…{value.get('…')}", len(value) - most)
            kept[free_key("…", kept)] = f"[+{missing} items]"
        return kept

    def _most_items(self, count: int) -> int:
        most = max(_FEWEST_ITEMS, self._length // _BYTES_AN_ITEM)
        return most if count > most + _MARK_BYTES else count

    def _entries(self, items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        for key, item in items:
            entries[free_key(self._value(key), entries)] = self._value(item)
        return entries

    def _string(self, value: str) -> str:
        longest = self._length + _MARK_BYTES  # else the mark would take more than the cut gives
        if len(value) * 4 <= longest or _size(value) <= longest:
            return value
        mark = _MARK.search(value, len(value) - _LONGEST_MARK)
        text = value if mark is None else value[: mark.start()]
        before, unit = (0, "bytes") if mark is None else (int(mark[1]), mark[2])
        kept = text[: self._length].encode()[: self._length].decode("utf-8", "ignore")
        lost = _size(text) - _size(kept)
        self.cut_bytes += lost
        return f"{kept}…[+{before + (lost if unit == 'bytes' else len(text) - len(kept))} {unit}]"


class RoughShortener(Shortener):
    """Shorten values in no more time than what is kept of them takes, unclean ones too.

    Strings are cut to as many characters as they should have bytes at most, and of one that is not
    all ASCII the mark counts characters: to count the bytes of 10 MB takes milliseconds.
    """

    def _string(self, value: str) -> str:
        lost = len(value) - self._length
        if lost <= _MARK_BYTES:
            return value
        self.cut_bytes += lost
        unit = "bytes" if value.isascii() else "characters"
        return f"{value[: self._length]}…[+{lost} {unit}]"

    def _entries(self, items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
        """Raise a TypeError where a key is an object of the host, which may do anything."""
        items = list(items)
        if any(type(key) is not str for key, _ in items):
            raise TypeError("a key is no string")
        return super()._entries(items)


def is_longer(values: Iterable[Any], limit_bytes: int) -> bool:
    """Return whether values have more bytes than that, as far as a short look can tell."""
    waiting = list(values)
    found_bytes = 0
    for _ in range(_MOST_LOOKED_AT):
        if not waiting or found_bytes > limit_bytes:
            break
        value = waiting.pop()
        kind = type(value)
        if kind in {str, bytes, list, tuple, dict}:
            found_bytes += len(value)
        if kind in {list, tuple, dict}:
            waiting += islice(value, _MOST_LOOKED_AT)
        if kind is dict:
            waiting += islice(value.values(), _MOST_LOOKED_AT)
    return found_bytes > limit_bytes


def _missing(last: object, count: int) -> int:
    """Return how many items are missing where the last `count` are left out; one may be a mark."""
    mark = _MARK.match(last) if type(last) is str else None
    return count if mark is None or mark[2] != "items" else count - 1 + int(mark[1])


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
