"""Log records that belong to a span of the window go out as events of it, behind its own.

So do the exceptions that were raised in it, where those are recorded. What belongs to no span, or
to one that does not go out with this incident, is an event on its source's lane instead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from otel_flight.delivery.incident_trace.span_index import SpanIndex
from otel_flight.delivery.otlp.runtime_attributes import own_attributes
from otel_flight.delivery.otlp.values import most_event_bytes
from otel_flight.incidents.gil_yields import YieldGil
from otel_flight.incidents.window import WindowEvent
from otel_flight.names import event_names
from otel_flight.records.records import Event, OpenSpan, Span

MOST_EVENTS: Final = 128
"""A span gets at most this many events more, the last ones: as many as the SDK lets it have of its
own."""

_BELONG_TO_SPANS: Final = frozenset({event_names.LOG_RECORD, event_names.RAISED_EXCEPTION})


class SpanLogs:
    """The log records of a window by their spans.

    Args:
        events: the runtime events of the window, in the order they were written.
        yield_gil: called after every event, to let other threads run.
    """

    def __init__(self, events: Iterable[WindowEvent], yield_gil: YieldGil) -> None:
        self._found: dict[int, deque[tuple[int, Event]]] = {}
        for event in events:
            record = event.record
            if record.span_id and record.name in _BELONG_TO_SPANS:
                key = _key(record.trace_id, record.span_id)
                made = Event(record.name, record.start_ns, own_attributes(event))
                self._found.setdefault(key, deque(maxlen=MOST_EVENTS)).append((event.number, made))
            yield_gil()

    def most_bytes(self) -> Mapping[int, int]:
        """Return, by trace and span id in one number, at least the bytes of its events as OTLP."""
        return {
            key: sum(most_event_bytes(event) for _, event in events)
            for key, events in self._found.items()
        }

    def add_to(self, record: Span | OpenSpan) -> None:
        """Append to the events of a span what was logged in it."""
        found = self._found.get(_key(record.trace_id, record.span_id))
        if found:
            record.events = (*record.events, *(event for _, event in found))

    def elsewhere(
        self,
        events: Mapping[str, Sequence[WindowEvent]],
        index: SpanIndex,
        goes_out: Callable[[int], bool],
    ) -> tuple[Mapping[str, Sequence[WindowEvent]], Mapping[str, int]]:
        """Return the events that are on no span, and by source the number of those that are.

        Args:
            events: all of the window, by source.
            index: the spans.
            goes_out: tells of a span, by its ordinal, whether it goes out with this incident.
        """
        on_spans = {
            number
            for key, found in self._found.items()
            if (ordinal := index.grown.get(key)) is not None and goes_out(ordinal)
            for number, _ in found
        }
        left = {
            source: [event for event in each if event.number not in on_spans]
            for source, each in events.items()
        }
        return left, {source: len(events[source]) - len(each) for source, each in left.items()}


def _key(trace_id: int, span_id: int) -> int:
    return trace_id << 64 | span_id
