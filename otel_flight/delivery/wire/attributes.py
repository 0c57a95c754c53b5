"""Attributes as OTLP, byte by byte: most of what a span is made of.

The official encoder makes two message objects for each attribute, which is most of its work. Here
all that stands in front of a value (its key, and lengths that follow from the value's) is made once
and remembered. Remembering whole attributes gains less: half of the values never come again.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Final

from otel_flight.delivery.wire.protobuf import delimited, varint

_INT_MAX: Final = (1 << 63) - 1
_MOST_HEADS: Final = 8192
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

# A head is found by its key and the shape of the value behind it: the length of a text, the
# negative length of an integer (1 to 10), or one of these.
_OF_DOUBLE: Final = -11
_OF_BOOLS: Final = (-12, -13)


class Unencodable(Exception):  # noqa: N818  (nothing is wrong: the official encoder has its turn)
    """A value of a type that is left to the official encoder."""


class AttributeEncoding:
    """Encodes attributes, and remembers their keys. Not for several threads at once.

    Args:
        tag: of the field that has the attributes.
    """

    def __init__(self, tag: bytes) -> None:
        self._tag = tag
        self._heads: dict[str, dict[int, bytes]] = {}
        self._heads_left = _MOST_HEADS

    def extend(self, parts: list[bytes], attributes: Mapping[str, Any]) -> None:
        """Add attributes to the parts of their message.

        Raises:
            Unencodable: one of them is something else than text, number, bool or a list of those.
        """
        heads, append = self._heads, parts.append
        for key, value in attributes.items():
            kind = type(value)
            if kind is str:
                data = value.encode()
                shape = len(data)
            elif kind is int and value <= _INT_MAX:
                data = varint(value)
                shape = -len(data)
            elif kind is float:
                data = _pack_double(value)
                shape = _OF_DOUBLE
            elif kind is bool:
                data = b""
                shape = _OF_BOOLS[value]
            else:
                front, data = _list(value)
                parts += (self._head(key, front, len(data)), data)
                continue
            try:
                head = heads[key][shape]
            except KeyError:
                head = self._new_head(key, shape)
            append(head)
            append(data)

    def _new_head(self, key: str, shape: int) -> bytes:
        if shape >= 0:
            head = self._head(key, _STRING + varint(shape), shape)
            if shape > _LONGEST_REMEMBERED:
                return head
        elif shape > _OF_DOUBLE:
            head = self._head(key, _INT, -shape)
        elif shape == _OF_DOUBLE:
            head = self._head(key, _DOUBLE, 8)
        else:
            head = self._head(key, _BOOLS[_OF_BOOLS.index(shape)], 0)
        if not self._heads_left:
            self._heads.clear()
            self._heads_left = _MOST_HEADS
        self._heads_left -= 1
        self._heads.setdefault(key, {})[shape] = head
        return head

    def _head(self, key: str, front: bytes, size: int) -> bytes:
        """Return an attribute up to where the last so many bytes of its value begin."""
        value = _VALUE + varint(len(front) + size) + front
        pair = _KEY + delimited(key.encode()) + value
        return self._tag + varint(len(pair) + size) + pair


def _list(value: Any) -> tuple[bytes, bytes]:
    """Return a list of scalars: its tag and length, and the items."""
    if type(value) is not list:
        raise Unencodable
    items = b"".join([_ITEM + delimited(_scalar(item)) for item in value])
    return _ARRAY + varint(len(items)), items


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
