"""What records refer to by number, such as scopes, resources and stacks: encoded once, and kept.

Each segment must decode alone, so the lane writer puts a definition again into every segment whose
records refer to it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec

from otel_flight.records.sanitize import Sanitizer
from otel_flight.records.shorten import LENGTHS, Shortener

_encode = msgspec.msgpack.Encoder().encode


class Definition(NamedTuple):
    """The encoded record that says what a number stands for.

    Attributes:
        number: what records refer to it by.
        record: the encoded record.
        parent: the definition that this one refers to in turn, as a scope does to its resource; it
            has to stand before this one in every segment. None: it refers to nothing.
    """

    number: int
    record: bytes
    parent: Definition | None = None

    @property
    def whole_bytes(self) -> int:
        """How many bytes it takes at most, what it refers to included."""
        return len(self.record) + (0 if self.parent is None else len(self.parent.record))


class Definitions:
    """Definitions by their numbers; each is kept until at least `most` newer ones were made.

    They are kept in two generations. When the newer one is full it becomes the older one, and what
    that held is forgotten: there are never more than twice `most`. Safe from any thread.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._newer: dict[int, Definition] = {}
        self._older: dict[int, Definition] = {}
        self._numbers = itertools.count(1)

    def definition(self, number: int) -> Definition | None:
        """Return what a number stands for; None when that has been forgotten."""
        return self._newer.get(number) or self._older.get(number)

    def _next_number(self) -> int:
        return next(self._numbers)

    def _put(self, definition: Definition) -> None:
        self._newer[definition.number] = definition

    def _begins_generation(self) -> bool:
        """Begin a new generation if this one is full; return whether it was."""
        if len(self._newer) < self._most:
            return False
        self._older, self._newer = self._newer, {}
        return True


def encode_bounded(
    fields: Iterable[Any], limit_bytes: int, redact: Callable[[Any], Any] | None = None
) -> bytes:
    """Encode a definition within `limit_bytes`: strings are cut, then attributes left out.

    Args:
        fields: of the definition.
        limit_bytes: how long it may be.
        redact: returns the fields without their secrets; None: they stay.
    """
    sanitizer, shortener = Sanitizer(), Shortener()
    cleaned = [sanitizer.clean(field) for field in fields]
    cleaned = cleaned if redact is None else redact(cleaned)
    data: bytes = _encode(cleaned)
    for length in LENGTHS:
        if len(data) <= limit_bytes:
            return data
        if length < limit_bytes:
            data = _encode(shortener.shorten(cleaned, length))
    if len(data) <= limit_bytes:
        return data
    shortest = shortener.shorten(cleaned, LENGTHS[-1])
    return _encode(
        [{"…": f"[+{len(item)} items]"} if type(item) is dict else item for item in shortest]
    )
