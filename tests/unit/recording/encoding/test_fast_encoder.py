"""The encoder that knows the positions of fields: it is used only while they are right."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from otel_flight.interpreter.sdk import internals as sdk_internals
from otel_flight.recording.encoding import portable_span
from otel_flight.recording.encoding.fast_encoder import (
    IS_FAST,
    FastSpanEncoder,
    has_record_layout,
    span_encoder,
)
from otel_flight.recording.encoding.scope_table import ScopeTable
from otel_flight.recording.encoding.span_encoder import SpanEncoder
from otel_flight.records.records import SPAN, SPAN_START, Event, Link, Span, SpanStart

LIMIT = 4096


class Proud(FastSpanEncoder):
    """Leaves nothing to the encoder for any SDK."""

    __slots__ = ()

    def encode_carefully(self, span: Any, record_type: Any, end_ns: Any) -> tuple[bytes, int]:
        """Fail."""
        raise AssertionError

    def encode_checkpoint(self, span: Any, thread_id: int) -> tuple[bytes, int]:
        """Fail."""
        raise AssertionError


def changed(struct: type[msgspec.Struct], first: str, second: str) -> type[msgspec.Struct]:
    """Return a record type in which two fields have changed places."""
    places = {first: second, second: first}
    fields: Any = [(places.get(name, name), Any, None) for name in struct.__struct_fields__]
    tag = struct.__struct_config__.tag
    return msgspec.defstruct(struct.__name__, fields, array_like=True, tag=tag)


def test_every_field_of_a_span_is_written_where_its_type_has_it() -> None:
    """The one tuple of a span, with an event and a link, is byte for byte its record."""
    span, scopes = sdk_internals.sample_span(), ScopeTable()
    fast, portable = Proud(scopes, LIMIT), SpanEncoder(scopes, LIMIT)

    end, start = fast.encode_end(span), fast.encode_start(span, 7)

    assert end == portable.encode_end(span)
    assert msgspec.msgpack.decode(end[0])[0] == SPAN
    found = msgspec.msgpack.decode(start[0], type=SpanStart)
    expected = msgspec.msgpack.decode(portable.encode_start(span, 7)[0], type=SpanStart)
    assert found == msgspec.structs.replace(expected, attributes=None)
    assert msgspec.msgpack.decode(start[0])[0] == SPAN_START


def test_no_two_fields_of_the_sample_are_alike() -> None:
    """Two that were would hide that they had been exchanged."""
    record = SpanEncoder(ScopeTable(), LIMIT).encode_end(sdk_internals.sample_span())[0]
    span = msgspec.msgpack.decode(record, type=Span)

    for struct in (span, *span.events, *span.links):
        values = [repr(value) for value in msgspec.structs.astuple(struct)]
        assert len(set(values)) == len(values)


@pytest.mark.parametrize(
    ("struct", "first", "second"),
    [
        (Span, "trace_id_high", "trace_id_low"),
        (Span, "name", "kind"),
        (Span, "start_ns", "end_ns"),
        (Span, "events", "links"),
        (Span, "status", "extras"),
        (SpanStart, "start_ns", "thread_id"),
        (SpanStart, "flags", "scope"),
        (Event, "name", "time_ns"),
        (Event, "attributes", "dropped_attributes"),
    ],
)
def test_another_layout_is_noticed(
    monkeypatch: pytest.MonkeyPatch, struct: type[msgspec.Struct], first: str, second: str
) -> None:
    """When a field has moved, the positions are wrong and are not used."""
    assert has_record_layout(FastSpanEncoder)
    moved = changed(struct, first, second)
    monkeypatch.setattr(portable_span, struct.__name__, moved)
    if struct is Span:
        monkeypatch.setattr(SpanEncoder, "encode_end", encode_as(moved))

    assert not has_record_layout(FastSpanEncoder)


def encode_as(record_type: Any) -> Any:
    """Return what encodes a span that ended as a record of another type."""

    def encode_end(self: SpanEncoder, span: Any) -> tuple[bytes, int]:
        return self.encode_carefully(span, record_type, span.end_time)

    return encode_end


def test_links_are_records_of_their_own() -> None:
    """Their fields are given by name, so that a link is right whatever its layout."""
    (link,) = portable_span.links_of(sdk_internals.sample_span().links)

    assert link == Link(0xC3, 0xD4, 0xE5, 0x101, {"of": "link"}, 15, "c=d")


def test_the_fastest_encoder_is_taken() -> None:
    """An SDK of which nothing is known gets the other one, which is never wrong."""
    assert IS_FAST
    assert type(span_encoder(ScopeTable(), LIMIT)) is FastSpanEncoder
