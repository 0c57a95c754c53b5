"""Attributes as OTLP, byte by byte: most of what a span is made of, and the same time and again.

The official encoder makes two message objects for each attribute, which is most of its work. Here
the encoded attribute is remembered, so that the second span with it costs a look into a dict.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Final

from otel_flight.delivery.protobuf_wire import delimited, varint

_INT_MAX: Final = (1 << 63) - 1
_MOST_REMEMBERED: Final = 4096
_LONGEST_REMEMBERED: Final = 256

_KEY: Final = b"\x0a"
_VALUE: Final = b"\x12"
_STRING: Final = b"\x0a"
_BOOLS: Final = (b"\x10\x00", b"\x10\x01")
_INT: Final = b"\x18"
_DOUBLE: Final = b"\x21"
_ARRAY: Final = b"\x2a"
_ITEM: Final = b"\x0a"
_pack_double = struct.Struct("<d").pack


class Unencodable(Exception):  # noqa: N818  (nothing is wrong: the official encoder has its turn)
    """A value of a type that is left to the official encoder."""


class AttributeEncoding:
    """Encodes attributes, remembering the last few thousand. Not for several threads at once."""

    def __init__(self) -> None:
        self._keys: dict[str, bytes] = {}
        # By type as well: `1`, `1.0` and `True` are one key of a dict.
        self._remembered: dict[tuple[type, str, Any], bytes] = {}

    def encode(self, tag: bytes, attributes: Mapping[str, Any]) -> bytes:
        """Return attributes as a repeated field.

        Raises:
            Unencodable: one of them is something else than text, number, bool or a list of those.
        """
        if not attributes:
            return b""
        known = self._remembered
        parts = []
        for key, value in attributes.items():
            kind = type(value)
            # Not floats: `0.0` and `-0.0` are one key of a dict, too. Lists cannot be one.
            if kind is str or kind is int or kind is bool:
                part = known.get((kind, key, value))
                if part is None:
                    part = self._pair(key, value)
                    if len(part) <= _LONGEST_REMEMBERED:
                        if len(known) >= _MOST_REMEMBERED:
                            known.clear()
                        known[kind, key, value] = part
            else:
                part = self._pair(key, value)
            parts.append(part)
        return tag + tag.join(parts)

    def _pair(self, key: str, value: Any) -> bytes:
        encoded = self._keys.get(key)
        if encoded is None:
            if len(self._keys) >= _MOST_REMEMBERED:
                self._keys.clear()
            encoded = self._keys[key] = _KEY + delimited(key.encode()) + _VALUE
        return delimited(encoded + delimited(_any_value(value)))


def _any_value(value: Any) -> bytes:
    if type(value) is list:
        items = [_ITEM + delimited(_scalar(item)) for item in value]
        return _ARRAY + delimited(b"".join(items))
    return _scalar(value)


def _scalar(value: Any) -> bytes:
    kind = type(value)
    if kind is str:
        return _STRING + delimited(value.encode())
    if kind is bool:
        return _BOOLS[value]
    if kind is int and value <= _INT_MAX:
        return _INT + varint(value)
    if kind is float:
        return _DOUBLE + _pack_double(value)
    raise Unencodable
