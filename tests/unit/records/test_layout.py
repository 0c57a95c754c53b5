"""The positions of fields, as the record types have them, are those in the bytes."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from otel_flight.records import records
from otel_flight.records.layout import as_fields, kind_of, position
from otel_flight.records.records import Event, Frame, Link, Record

RECORD_TYPES = get_args(Record)


def marked(struct: type[msgspec.Struct]) -> msgspec.Struct:
    """Return a struct whose fields hold their own names."""
    values: dict[str, Any] = {name: name for name in struct.__struct_fields__}
    return struct(**values)


@pytest.mark.parametrize(
    "struct", [*RECORD_TYPES, Event, Link, Frame], ids=lambda each: each.__name__
)
def test_a_field_is_where_it_is_said_to_be(struct: type[msgspec.Struct]) -> None:
    """In what the encoder makes of a record, and of the parts of one."""
    encoded = msgspec.msgpack.decode(msgspec.msgpack.encode(marked(struct)))

    for name in struct.__struct_fields__:
        assert encoded[position(struct, name)] == name


@pytest.mark.parametrize("struct", RECORD_TYPES, ids=lambda each: each.__name__)
def test_the_fields_of_a_record_are_what_is_encoded(struct: type[msgspec.Struct]) -> None:
    """The kind comes first, and every field after it."""
    record = marked(struct)

    fields = as_fields(record)

    assert fields[0] == kind_of(struct)
    assert msgspec.msgpack.encode(fields) == msgspec.msgpack.encode(record)


def test_each_kind_has_a_number_of_its_own() -> None:
    """The first element of a record says which one it is, and a part of one has no such number."""
    assert sorted(map(kind_of, RECORD_TYPES)) == list(range(1, len(RECORD_TYPES) + 1))
    assert kind_of(records.OpenSpan) == records.OPEN_SPAN
    with pytest.raises(TypeError, match="Event is no kind of record"):
        kind_of(Event)


def test_the_format_is_what_it_was() -> None:
    """Rings and incidents that were written before can be read: no field ever moves."""
    common = (
        *("trace_id_high", "trace_id_low", "span_id", "parent_span_id", "flags", "scope"),
        *("name", "kind", "start_ns"),
    )
    rest = ("end_ns", "attributes", "events", "links", "status", "extras")

    assert records.Span.__struct_fields__[:15] == (*common, *rest)
    assert records.OpenSpan.__struct_fields__[:15] == (*common, *rest)
    assert records.SpanStart.__struct_fields__[:11] == (*common, "thread_id", "attributes")
