"""Number stacks, so that a sample of a stack that was seen before carries one small integer.

A hung request has the same stack in every sample. Each segment must decode alone, so the
definitions are kept here, encoded, and the lane writer puts them into every segment that refers to
them, as it does with scopes.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from types import CodeType
from typing import Final

import msgspec

from otel_flight.recording.encoding.scope_table import Definition, encode_bounded
from otel_flight.records import records
from otel_flight.ring.layout import MAX_RESOURCE_BYTES

MOST_FRAMES: Final = 64
"""Frames of one stack that are kept: half of them outermost, half innermost."""
MAX_STACKS: Final = 256
"""Stacks kept before the table starts anew, the older ones living on until it does so again: at
most 512 of about 5 KiB."""

Place = tuple[CodeType | str, int]
"""Where a stack goes through: code and line; a text stands for what has no code, such as the lock
or the future that is waited for, with line 0."""

_HALF: Final = MOST_FRAMES // 2
_encode = msgspec.msgpack.Encoder().encode


class StackTable:
    """Stacks seen by this process. Safe from any thread: racing threads number a stack twice.

    Stacks are told apart by the identity of their code objects, which the table keeps alive; a
    code's own hash goes over all its constants.
    """

    def __init__(self) -> None:
        self._numbers: dict[tuple[int | str, ...], tuple[int, tuple[CodeType | str, ...]]] = {}
        self._definitions: dict[int, Definition] = {}
        self._older_definitions: dict[int, Definition] = {}
        self._next_numbers = itertools.count(1)

    def number_of(self, places: Sequence[Place]) -> int:
        """Return the number of a stack, outermost place first."""
        parts: list[int | str] = []
        for where, line in places:  # a third of what a generator takes
            parts.append(where if type(where) is str else id(where))
            parts.append(line)
        key = tuple(parts)
        known = self._numbers.get(key)
        return known[0] if known is not None else self._add(key, places)

    def definition(self, number: int) -> Definition | None:
        """Return the definition of a stack; None when it has been forgotten."""
        return self._definitions.get(number) or self._older_definitions.get(number)

    def _add(self, key: tuple[int | str, ...], places: Sequence[Place]) -> int:
        if len(self._definitions) >= MAX_STACKS:
            self._older_definitions, self._definitions = self._definitions, {}
            self._numbers = {}
        number = next(self._next_numbers)
        record = _encoded(number, places)
        self._definitions[number] = Definition(number, 0, record, b"")
        self._numbers[key] = number, tuple(where for where, _ in places)
        return number


def _encoded(number: int, places: Sequence[Place]) -> bytes:
    left_out = max(0, len(places) - MOST_FRAMES)
    kept = [*places[:_HALF], *places[-_HALF:]] if left_out else places
    frames = [_frame(where, line) for where, line in kept]
    fields = (records.STACK, number, frames, left_out)
    try:
        data: bytes = _encode(fields)
    except ValueError:  # half a character in a file's name, say
        return encode_bounded(fields, MAX_RESOURCE_BYTES)
    return data if len(data) <= MAX_RESOURCE_BYTES else encode_bounded(fields, MAX_RESOURCE_BYTES)


def _frame(where: CodeType | str, line: int) -> tuple[str, str, int]:
    if isinstance(where, str):
        return where, "", line
    name: str = getattr(where, "co_qualname", where.co_name)  # from Python 3.11 on
    return name, where.co_filename, line
