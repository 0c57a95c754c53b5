"""Shorten a record's values, so that it fits into its limit: the longest lose first.

Every cut leaves a mark that says how much is missing, as `…[+123 bytes]` or `…[+123 items]`.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from otel_flight.records.sanitize import free_key

LENGTHS: Final = (16384, 8192, 4096, 2048, 1024, 512, 256, 128, 64)
"""A string may be as long as this, in bytes: each length is tried until the record fits."""
_MARK_BYTES: Final = 24
"""What is too long by less than this stays whole: the mark of the cut would take as much."""
_BYTES_AN_ITEM: Final = 8
"""Lists and maps are cut to as many items as there would be, of this many bytes, in the length."""
_FEWEST_ITEMS: Final = 16
"""A list or map keeps at least this many items, however short the length."""
_encode = msgspec.msgpack.Encoder().encode


class Shortener:
    """Shorten clean values, those of one record, say; may be asked several times."""

    def __init__(self) -> None:
        self.cut_bytes = 0
        """The last call of `shorten` cut this many bytes."""
        self._length = 0
        self._known_bytes: dict[int, int] = {}

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
            return self._entries(list(field.items()))
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
            self.cut_bytes += len(_encode(value[most:]))
            kept.append(f"…[+{len(value) - most} items]")
        return kept

    def _map(self, value: dict[str, Any]) -> dict[str, Any]:
        most = self._most_items(len(value))
        items = list(value.items())
        kept = self._entries(items[:most])
        if len(items) > most:
            self.cut_bytes += len(_encode(dict(items[most:])))
            kept[free_key("…", kept)] = f"[+{len(items) - most} items]"
        return kept

    def _most_items(self, count: int) -> int:
        most = max(_FEWEST_ITEMS, self._length // _BYTES_AN_ITEM)
        return most if count > most + _MARK_BYTES else count

    def _entries(self, items: list[tuple[str, Any]]) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        for key, item in items:
            entries[free_key(self._value(key), entries)] = self._value(item)
        return entries

    def _string(self, value: str) -> str:
        longest = self._length + _MARK_BYTES  # else the mark would take more than the cut gives
        if len(value) * 4 <= longest:
            return value
        size = self._size(value)
        if size <= longest:
            return value
        kept = value[: self._length].encode()[: self._length].decode("utf-8", "ignore")
        lost = size - len(kept.encode())
        self.cut_bytes += lost
        return f"{kept}…[+{lost} bytes]"

    def _size(self, value: str) -> int:
        """Return a string's length in bytes; encoding 10 MB takes long, so it is done once."""
        if value.isascii():
            return len(value)
        size = self._known_bytes.get(id(value))
        if size is None:
            size = self._known_bytes[id(value)] = len(value.encode())
        return size
