"""What a record adds to a segment: its own bytes, and the definitions that it lacks there."""

from __future__ import annotations

from typing import Final, NamedTuple

from otel_flight.records.definitions import Definition
from otel_flight.ring import layout

_ONE: Final = layout.COMMIT_ONE_RECORD
_ONE_DEFINITION: Final = layout.COMMIT_ONE_RECORD + layout.COMMIT_ONE_DEFINITION


class Addition(NamedTuple):
    """What is stored for a record, by how many definitions it lacks: 0, 1 or 2.

    Attributes:
        reference: the number of the definition that the record needs; 0 for none.
        parent: the number of what that one refers to in turn, or its own.
        data: the bytes: the record, and before it the definitions.
        steps: what they add to the commit word.
    """

    reference: int
    parent: int
    data: tuple[bytes, bytes, bytes]
    steps: tuple[int, int, int]


def addition_of(data: bytes, reference: int, definition: Definition | None) -> Addition:
    """Return what a record adds; None: its definition was forgotten, and it goes without."""
    step = len(data) + _ONE
    if definition is None:
        return Addition(reference, reference, (data, data, data), (step, step, step))
    defined = definition.record + data
    defined_step = step + len(definition.record) + _ONE_DEFINITION
    parent = definition.parent
    if parent is None:
        return Addition(
            reference, reference, (data, defined, defined), (step, defined_step, defined_step)
        )
    return Addition(
        reference,
        parent.number,
        (data, defined, parent.record + defined),
        (step, defined_step, defined_step + len(parent.record) + _ONE_DEFINITION),
    )
