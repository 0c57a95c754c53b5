"""The three shapes of the protobuf wire format that spans are made of.

https://protobuf.dev/programming-guides/encoding/; a field may come anywhere in its message, and
messages written one after another are one message with the fields of all of them.
"""

from __future__ import annotations

from typing import Final

_MASK: Final = (1 << 64) - 1


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


_SMALL: Final = tuple(map(_varint, range(2048)))
"""Small integers are looked up here, as a loop in Python takes ten times as long."""


def varint(number: int) -> bytes:
    """Return an integer of up to 64 bits; a negative one as its two's complement."""
    return _SMALL[number] if 0 <= number < len(_SMALL) else _varint(number & _MASK)


def delimited(data: bytes) -> bytes:
    """Return bytes with their length in front: a text or a message, less its tag."""
    size = len(data)
    return (_SMALL[size] if size < len(_SMALL) else _varint(size)) + data
