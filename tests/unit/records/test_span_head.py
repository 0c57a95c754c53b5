"""The beginning of a span's record has the fields that the record has."""

from __future__ import annotations

import msgspec

from otel_flight.records.layout import position
from otel_flight.records.records import SPAN, OpenSpan, Span
from otel_flight.records.span_head import SpanHead


def test_each_field_stands_where_a_span_has_it() -> None:
    """Behind the kind of record, which comes first in every one."""
    first, *others = SpanHead.__struct_fields__

    assert position(SpanHead, first) == 0
    for name in others:
        assert position(SpanHead, name) == position(Span, name) == position(OpenSpan, name)


def test_any_record_has_a_beginning() -> None:
    """A shorter one, and one with values of other types: who reads it must look at them."""
    records = [[SPAN, 1, 2, "three", None], [99]]

    span, newer = msgspec.msgpack.decode(msgspec.msgpack.encode(records), type=list[SpanHead])

    assert (span.record_kind, span.span_id, span.parent_span_id, span.end_ns) == (
        1,
        "three",
        None,
        0,
    )
    assert (newer.record_kind, newer.trace_id_high) == (99, 0)
