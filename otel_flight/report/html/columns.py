"""Tables in columns, as the page reads them: each text and each set of keys is there once.

A row costs a few numbers, so that a full window fits into a file that people pass on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec

_LARGEST_EXACT: Final = (1 << 53) - 1
"""JavaScript has no larger integer without loss: those go as text."""


class Distinct:
    """Values, each of them once, by their place.

    Attributes:
        values: the values in the order in which they came.
    """

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._places: dict[tuple[type, Any], int] = {}

    def place(self, value: Any) -> int:
        """Return the place of a value, which gets one when it is new."""
        key = (type(value), value)
        found = self._places.get(key)
        if found is None:
            found = self._places[key] = len(self.values)
            self.values.append(value)
        return found


class AttributeColumns:
    """The attributes of many rows.

    Args:
        longest: of a value, so many characters are kept.

    Attributes:
        shortened: how many values were longer.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._keys = Distinct()
        self._shapes = Distinct()
        self._values = Distinct()
        self._flat: list[int] = []
        self.shortened = 0

    def add(self, attributes: Mapping[str, Any]) -> int:
        """Keep the attributes of a row, and return the place of their set of keys.

        The places of the values stand one after another in the order of the rows.
        """
        self._flat += [self._values.place(self.plain(value)) for value in attributes.values()]
        return self._shapes.place(tuple(map(self._keys.place, attributes)))

    def columns(self) -> dict[str, Any]:
        """Return them as the page reads them."""
        return {
            "keys": [self._cut(key) for key in self._keys.values],
            "shapes": self._shapes.values,
            "values": self._values.values,
            "flat": self._flat,
        }

    def plain(self, value: Any) -> str | int | float | bool | None:
        """Return a value as JavaScript holds it: lists and maps as JSON, bytes as digits."""
        if isinstance(value, str):
            return self._cut(value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            return value if abs(value) <= _LARGEST_EXACT else str(value)
        if isinstance(value, float):
            return value if math.isfinite(value) else str(value)
        if isinstance(value, bytes):
            return self._cut(f"0x{value.hex()}")
        return self._cut(msgspec.json.encode(value, enc_hook=str).decode())

    def _cut(self, text: str) -> str:
        if len(text) <= self._longest:
            return text
        self.shortened += 1
        return f"{text[: self._longest]}…[+{len(text) - self._longest} characters]"
