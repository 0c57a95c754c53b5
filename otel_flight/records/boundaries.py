"""Where the records of a damaged segment begin and end, told by their bytes alone.

Records delimit themselves, so a broken one hides only itself, as far as the next one can be found:
by the two or three bytes that every record begins with, and by what follows them being whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from otel_flight.records.records import Record

_RECORD_HEAD: Final = re.compile(rb"[\x92-\x9f][\x01-\x7f]|\xdc..[\x01-\x7f]", re.DOTALL)
"""Every record begins so: with the head of an array, and a small number, which is its kind."""
_STEPS_A_BYTE: Final = 8
"""The search looks at this many values for each byte of a segment, and gives up beyond that: bytes
that were made up for it could keep it busy for minutes."""


class FoundRecord(NamedTuple):
    """A record, and where it is in the bytes of its segment."""

    number: int
    """Its position among the records of the segment, from 0: as far as that can be told, the one
    it was written with."""
    start: int
    end: int
    record: Record


class _Shape(NamedTuple):
    """How a msgpack value goes on after its first byte."""

    size: int
    """How many bytes it has with that byte, up to what its length says."""
    length_bytes: int = 0
    """How many bytes after the first one say how long it is, or how many items it has."""
    items: int = 0
    """How many values follow for each one that its length counts; 0: its length counts bytes."""
    within: int = 0
    """How many values follow, where the first byte says so itself."""


def _shape(tag: int) -> _Shape | None:
    """Return the shape of the values with a first byte; None: there are none.

    Source: https://github.com/msgpack/msgpack/blob/master/spec.md
    """
    if tag < 0x80 or tag >= 0xE0:
        return _Shape(1)
    if tag < 0x90:
        return _Shape(1, within=2 * (tag & 15))
    if tag < 0xA0:
        return _Shape(1, within=tag & 15)
    if tag < 0xC0:
        return _Shape(1 + (tag & 31))
    return _SHAPES.get(tag)


_SHAPES: Final = {
    **dict.fromkeys((0xC0, 0xC2, 0xC3), _Shape(1)),
    **{0xC4 + n: _Shape(1 + 2**n, 2**n) for n in range(3)},
    **{0xC7 + n: _Shape(2 + 2**n, 2**n) for n in range(3)},
    0xCA: _Shape(5),
    0xCB: _Shape(9),
    **{0xCC + n: _Shape(1 + 2**n) for n in range(4)},
    **{0xD0 + n: _Shape(1 + 2**n) for n in range(4)},
    **{0xD4 + n: _Shape(2 + 2**n) for n in range(5)},
    **{0xD9 + n: _Shape(1 + 2**n, 2**n) for n in range(3)},
    0xDC: _Shape(3, 2, items=1),
    0xDD: _Shape(5, 4, items=1),
    0xDE: _Shape(3, 2, items=2),
    0xDF: _Shape(5, 4, items=2),
}
_BY_TAG: Final = tuple(map(_shape, range(256)))


def find_records(
    payload: bytes, count: int, decode: Callable[[bytes], Record | None]
) -> list[FoundRecord]:
    """Return the records of a segment that can be decoded, in their order.

    Never raises; takes some tenths of a second at most.

    Args:
        payload: the bytes of the segment.
        count: how many records were written into it.
        decode: decodes one; None: it is none, or broken, or of a newer kind.
    """
    search = _Search(payload)
    found: list[FoundRecord] = []
    after_gap: int | None = None
    start, number, is_lost = 0, 0, False
    while start < len(payload) and len(found) < count:
        end = search.record_end(start)
        record = decode(payload[start:end]) if end is not None else None
        if end is not None and record is not None:
            found.append(FoundRecord(number, start, end, record))
            start, number, is_lost = _own_end(payload, found[-1], decode), number + 1, False
            continue
        following = search.next_head(start + 1)
        if following is None:
            after_gap = None
            break
        # A record that cannot be read counts once, however many beginnings there seem to be in it.
        number += not is_lost
        start, is_lost, after_gap = following, True, len(found)
    return found if after_gap is None else _renumbered(found, after_gap, count - number)


def _own_end(payload: bytes, found: FoundRecord, decode: Callable[[bytes], Record | None]) -> int:
    """Return where a record ends, before any that it has taken in.

    No record has another one in it; where one seems to, with the next one behind that, a length is
    damaged.
    """
    data = payload[found.start : found.end]
    search = _Search(data)
    start = search.next_head(1)
    while start is not None:
        end = search.record_end(start)
        if end is not None and decode(data[start:end]) is not None:
            behind = found.start + end
            if behind == len(payload) or _RECORD_HEAD.match(payload, behind):
                return found.start + start
        start = search.next_head(start + 1)
    return found.end


def _renumbered(found: list[FoundRecord], after_gap: int, missing: int) -> list[FoundRecord]:
    """Return records with other numbers behind the last gap.

    How many were in it is known from how many are behind it.

    Args:
        found: the records.
        after_gap: which one is the first behind it.
        missing: by how many the numbers are too low.
    """
    before, behind = found[:after_gap], found[after_gap:]
    if behind:
        lowest = before[-1].number + 1 if before else 0
        missing = max(missing, lowest - behind[0].number)
    return before + [each._replace(number=each.number + missing) for each in behind]


class _Search:
    """Looks for records in bytes, and gives up when it has looked at too many values."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._steps_left = _STEPS_A_BYTE * len(data)

    def record_end(self, start: int) -> int | None:
        """Return where the record ends that begins here; None: there is none, or not all of it."""
        return self._value_end(start) if _RECORD_HEAD.match(self._data, start) else None

    def next_head(self, start: int) -> int | None:
        """Return where the next record may begin."""
        found = _RECORD_HEAD.search(self._data, start)
        return found.start() if found is not None and self._steps_left > 0 else None

    def _value_end(self, at: int) -> int | None:
        data, left = self._data, 1
        while left and at < len(data) and self._steps_left > 0:
            self._steps_left -= 1
            shape = _BY_TAG[data[at]]
            if shape is None:
                return None
            left += shape.within - 1
            length = int.from_bytes(data[at + 1 : at + 1 + shape.length_bytes], "big")
            at += shape.size
            if shape.items:
                left += length * shape.items
            else:
                at += length
        return at if not left and at <= len(data) else None
