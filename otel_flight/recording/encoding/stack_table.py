"""Number stacks, so that a sample of a stack that was seen before carries one small integer.

A hung request has the same stack in every sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from otel_flight.interpreter.code.places import Place, qualified_name
from otel_flight.records.definitions import Definition, Definitions, encode_bounded
from otel_flight.records.records import Frame, StackDefinition
from otel_flight.ring.layout import MAX_RESOURCE_BYTES

MOST_FRAMES: Final = 64
"""At most this many frames of a stack are kept: the outermost half and the innermost half."""
MAX_STACKS: Final = 256
"""After this many stacks, the table starts anew; what was defined is kept until it does so again:
so at most 512 are, of about 5 KiB."""

_HALF: Final = MOST_FRAMES // 2
_encode = msgspec.msgpack.Encoder().encode


class StackTable(Definitions):
    """Stacks seen by this process. Safe from any thread: racing threads number a stack twice.

    Two stacks are the same when their code objects are, which the table keeps alive; comparing a
    code's own hash would go over all its constants.
    """

    def __init__(self) -> None:
        super().__init__(MAX_STACKS)
        self._known: dict[tuple[int | str, ...], tuple[int, tuple[object, ...]]] = {}

    def number_of(self, places: Sequence[Place]) -> int:
        """Return the number of a stack, outermost place first."""
        parts: list[int | str] = []
        for where, line in places:  # a third of what a generator takes
            parts.append(where if type(where) is str else id(where))
            parts.append(line)
        key = tuple(parts)
        known = self._known.get(key)
        return known[0] if known is not None else self._add(key, places)

    def _add(self, key: tuple[int | str, ...], places: Sequence[Place]) -> int:
        if self._begins_generation():
            self._known = {}
        number = self._next_number()
        self._put(Definition(number, _encoded(number, places)))
        self._known[key] = number, tuple(where for where, _ in places)
        return number


def _encoded(number: int, places: Sequence[Place]) -> bytes:
    left_out = max(0, len(places) - MOST_FRAMES)
    kept = [*places[:_HALF], *places[-_HALF:]] if left_out else places
    stack = StackDefinition(number, tuple(map(_frame, kept)), left_out)
    try:
        data: bytes = _encode(stack)
        if len(data) <= MAX_RESOURCE_BYTES:
            return data
    except ValueError:  # half a character in a file's name, say
        pass
    return encode_bounded(msgspec.to_builtins(stack), MAX_RESOURCE_BYTES)


def _frame(place: Place) -> Frame:
    where, line = place
    if isinstance(where, Frame):
        return where
    if isinstance(where, str):
        return Frame(function=where, file="", line=line)
    return Frame(function=qualified_name(where), file=where.co_filename, line=line)
