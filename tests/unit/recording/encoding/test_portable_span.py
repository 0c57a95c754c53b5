"""Records of spans of any shape, by their public properties."""

from __future__ import annotations

from typing import Any

from opentelemetry.attributes import BoundedAttributes

from otel_flight.recording.encoding.portable_span import end_record
from otel_flight.recording.encoding.record_limit import encode_within
from otel_flight.records import records
from otel_flight.records.decoder import decode_records
from otel_flight.records.records import Span


class ForeignSpan:
    """A span of another SDK: nothing but the public properties, some of them odd."""

    name: Any = None
    kind: Any = None
    parent = None
    start_time: Any = 10.5
    attributes: Any = None
    events: Any = ()
    links: Any = ()
    status = None
    dropped_attributes = dropped_events = dropped_links = 0

    _attributes: Any

    class Context:
        """Ids that are too long."""

        trace_id = (1 << 130) + 5
        span_id = (1 << 70) + 6
        trace_flags = 0x1FF
        trace_state = None

    def get_span_context(self) -> Context:
        """Return the context."""
        return self.Context()


def test_a_span_that_is_nothing_like_the_sdks_is_recorded() -> None:
    """Odd kinds, names, times and ids give a readable record."""
    data, _, _ = encode_within(end_record(ForeignSpan(), Span, 0, None), 4096)

    (span,) = decode_records(data, 1).records
    assert isinstance(span, Span)
    assert (span.trace_id, span.span_id, span.flags) == (5, 6, 0xFF)
    assert (span.name, span.kind, span.start_ns, span.end_ns) == ("None", 0, 10, 0)
    assert span.extras == {records.EXTRA_CONVERTED: 3}


def test_attributes_are_copied_without_their_lock() -> None:
    """A collection may end a span while its own thread holds the attributes' lock."""
    span = ForeignSpan()
    span.attributes = attributes = BoundedAttributes(attributes={"a": 1}, immutable=False)
    span._attributes = attributes

    with attributes._lock:
        record = end_record(span, Span, 0, 1)
    attributes["b"] = 2

    assert record.attributes == {"a": 1}


def test_attributes_that_vanish_while_they_are_copied_cost_nothing() -> None:
    """An SDK whose attributes can only be iterated may drop some meanwhile."""

    class Shrinking(dict[str, int]):
        def __iter__(self) -> Any:
            keys = list(super().keys())
            self.pop("a", None)
            return iter(keys)

    span = ForeignSpan()
    span.attributes = Shrinking(a=1, b=2)

    record = end_record(span, Span, 0, 1)

    assert record.attributes["b"] == 2
