"""Where the fields of a record stand in its bytes: said by the record types, and only by them."""

from __future__ import annotations

from typing import Any

import msgspec


def kind_of(record_type: type[msgspec.Struct]) -> int:
    """Return the number that records of a type begin with.

    Raises:
        TypeError: it is no record, only a part of one, such as an event of a span.
    """
    tag = record_type.__struct_config__.tag
    if not isinstance(tag, int):
        raise TypeError(f"{record_type.__name__} is no kind of record: it has no number")
    return tag


def position(struct: type[msgspec.Struct], field: str) -> int:
    """Return where a field stands in the array that a record, or a part of one, is encoded as."""
    is_record = struct.__struct_config__.tag is not None
    return struct.__struct_fields__.index(field) + is_record


def as_fields(record: msgspec.Struct) -> tuple[Any, ...]:
    """Return a record as the array that it is encoded as: its kind, then its fields."""
    return (kind_of(type(record)), *msgspec.structs.astuple(record))
