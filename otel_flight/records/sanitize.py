"""Turn values that msgpack cannot hold into values that it can.

Only the slow path comes here: the encoder refused a record, or it has to be made shorter. Values
may be the host's own objects, so no method of them is trusted to return what it should, or at all.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

from otel_flight.ground.signal_errors import pass_on

_MAX_DEPTH: Final = 16
"""A container that is nested deeper than this becomes text."""
_MAX_VALUES: Final = 65536
"""At most this many values of one container are cleaned. Once a record has had as many, containers
become text. A record has room for fewer: it is a bound for what contains itself."""
_STRUCTURE_DEPTH: Final = 3
"""Containers above this depth may be the record's own, and are always entered: its events, an
event, the event's attributes."""
_INT_MIN: Final = -(1 << 63)
"""msgpack holds no integer below this."""
_INT_MAX: Final = (1 << 64) - 1
"""msgpack holds no integer above this."""


class Sanitizer:
    """Convert one record's values, counting the conversions.

    Never raises by itself: an object whose methods raise becomes its type's name.
    """

    def __init__(self) -> None:
        self.converted = 0
        self._left = _MAX_VALUES

    def clean(self, value: Any, depth: int = 0) -> Any:
        """Return a field of a record with everything msgpack cannot hold replaced by text."""
        kind = type(value)
        if value is None or kind is bool or kind is float or kind is bytes:
            return value
        if issubclass(kind, str):
            return self._clean_string(value)
        if issubclass(kind, int):
            return self._clean_int(int.__int__(value))
        if issubclass(kind, float):
            return float.__float__(value)
        if depth >= _MAX_DEPTH or (self._left <= 0 and depth >= _STRUCTURE_DEPTH):
            return self._convert(value)
        try:
            return self._clean_container(value, kind, depth)
        except Exception as error:  # noqa: BLE001  # whatever an object's methods may raise
            pass_on(error)
            return self._convert(value)

    def _clean_container(self, value: Any, kind: type, depth: int) -> Any:
        if issubclass(kind, Mapping):
            return self._clean_mapping(value, depth)
        if issubclass(kind, (bytes, bytearray, memoryview)):
            return bytes(value)
        if issubclass(kind, (Sequence, AbstractSet)):
            return self._clean_items(value, depth)
        return self._convert(value)

    def _clean_mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        cleaned: dict[str, Any] = {}
        for key, item in itertools.islice(value.items(), _MAX_VALUES):
            is_text = issubclass(type(key), str)
            text = self._clean_string(key) if is_text else self._convert(key)
            cleaned[free_key(text, cleaned)] = self.clean(item, depth + 1)
        self._left -= len(cleaned)
        if len(cleaned) == _MAX_VALUES:
            self.converted += 1
            cleaned["…"] = f"[+{max(0, len(value) - _MAX_VALUES)} items]"
        return cleaned

    def _clean_items(self, value: Any, depth: int) -> list[Any]:
        cleaned = [self.clean(item, depth + 1) for item in itertools.islice(value, _MAX_VALUES)]
        self._left -= len(cleaned)
        if len(cleaned) == _MAX_VALUES:
            self.converted += 1
            cleaned.append(f"…[+{max(0, len(value) - _MAX_VALUES)} items]")
        return cleaned

    def _clean_string(self, value: str) -> str:
        plain = str.__str__(value)
        try:
            plain.encode()
        except UnicodeEncodeError:
            self.converted += 1
            return _encodable(plain)
        return plain

    def _clean_int(self, value: int) -> int | str:
        if _INT_MIN <= value <= _INT_MAX:
            return value
        self.converted += 1
        return hex(value)  # str() of a huge int can raise, and is quadratic

    def _convert(self, value: Any) -> str:
        self.converted += 1
        return as_text(value)


def as_text(value: Any) -> str:
    """Return `value` as a text that can be encoded.

    Only the type's name when its `str()` raises, or may take for ever, as of what contains itself.
    """
    kind = type(value)
    text = f"<{kind.__qualname__}>"
    try:
        if issubclass(kind, str):
            text = str.__str__(value)
        elif not issubclass(kind, (Mapping, Sequence, AbstractSet)):
            text = str.__str__(str(value))
    except Exception as error:  # noqa: BLE001  # whatever an object's methods may raise
        pass_on(error)
    return _encodable(text)


def free_key(key: str, taken: Mapping[str, Any]) -> str:
    """Return `key`, with a number behind it when it is taken: shortened keys may become equal."""
    if key not in taken:
        return key
    number = len(taken)
    while f"{key}#{number}" in taken:
        number += 1
    return f"{key}#{number}"


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
