"""What findings and reports look at: the records of an incident, gathered in one pass."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from statistics import median
from typing import Any, Final, TypeVar

import msgspec

from otel_flight.ground.intervals import Timed
from otel_flight.incidents.evidence.trace_spans import TraceSpans
from otel_flight.incidents.evidence.usual.past_spans import PastSpans
from otel_flight.incidents.gil_yields import YieldGil, keep_gil, with_yields
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.manifest import Cause, Manifest
from otel_flight.incidents.window import WindowEvent, WindowSpan, without_outdated
from otel_flight.names import attributes as names
from otel_flight.records.records import Span, SpanStart
from otel_flight.ring.layout import LANE_SPANS

_T = TypeVar("_T")

MOST_TRACES: Final = 8
"""The spans of at most this many traces are gathered: those of the first causes."""
_FEWEST_FOR_USUAL: Final = 10
"""With fewer earlier spans, nothing is said of how long spans like them usually take."""


class LocalRoot(msgspec.Struct, frozen=True, gc=False):
    """A request or job of the window, in short; garbage collection does not track it."""

    name: str
    kind: int
    start_ns: int
    end_ns: int
    """When it ended; for an open one, when the incident closed."""
    trace_id: int
    span_id: int
    is_open: bool
    is_error: bool

    @property
    def duration_ns(self) -> int:
        """How long it took; for an open one, until the incident closed."""
        return self.end_ns - self.start_ns


class Evidence:
    """The window as findings and reports need it.

    Args:
        incident: where it comes from.
        failure_triggers: the names of the triggers that fire because something failed.
        slow_triggers: the names of those that fire because a span takes too long.
        yield_gil: called every few dozen records, so that a live process can get on with its work.

    Attributes:
        incident: where it comes from.
        roots: all local roots that ended in the window or were open at its end, by start.
        cause: the one that is looked at: the first, unless `about` says otherwise.
        trace: the spans of its trace.
        trigger: the span that it names; None when it names none, or one that is not in the window.
        slow: the span in that trace that a cause calls slow, or held up; None when none does.
        is_of_failure: whether it is that something failed.
        threads: by the span id of a local root, the thread that it started on.
        past: how long the ended spans of traces took that are of no cause.
    """

    def __init__(
        self,
        incident: Incident,
        *,
        failure_triggers: AbstractSet[str],
        slow_triggers: AbstractSet[str],
        yield_gil: YieldGil = keep_gil,
    ) -> None:
        self.incident = incident
        self._yield_gil = yield_gil
        self._failure_triggers = failure_triggers
        self._slow_triggers = slow_triggers
        traces = dict.fromkeys(cause.trace for cause in self.manifest.causes if cause.trace)
        self._spans: dict[int, dict[int, WindowSpan]] = {
            trace_id: {} for trace_id in list(traces)[:MOST_TRACES]
        }
        self._roots: dict[int, LocalRoot] = {}
        self.past = PastSpans()
        self.threads: dict[int, int] = {}
        self._gather_spans(yield_gil)
        self._events = self._gather_events(yield_gil)
        self.roots = sorted(self._roots.values(), key=lambda root: root.start_ns)
        self._look_at(self.manifest.trigger)

    def about(self, cause: Cause) -> Evidence:
        """Return the same for another cause of the incident."""
        other = copy.copy(self)
        other._look_at(cause)
        return other

    def _look_at(self, cause: Cause | None) -> None:
        self.cause = cause
        self._once: dict[object, Any] = {}
        self.trace = TraceSpans(self._spans.get(cause.trace if cause else 0, {}).values())
        self.trigger = self._span_of(cause) if cause is not None else None
        self.is_of_failure = cause is not None and cause.trigger in self._failure_triggers
        slow = filter(self._is_of_slowness, self.manifest.causes)
        self.slow = next(filter(None, map(self._span_of, slow)), None)

    def _is_of_slowness(self, cause: Cause) -> bool:
        return cause.trigger in self._slow_triggers or names.INTERRUPTED in cause.attributes

    def _gather_spans(self, yield_gil: YieldGil) -> None:
        """Go over the spans once, and keep those of the causes' traces."""
        window = self.incident.window
        for item in with_yields(window.records(LANE_SPANS), yield_gil):
            record = item.record
            if isinstance(record, Span):
                self._gather_span(WindowSpan(record, item.number, item.scope, item.resource))
            elif isinstance(record, SpanStart):
                self.threads[record.span_id] = record.thread_id
        for span in window.unfinished():
            self._gather_span(span)

    def _gather_span(self, span: WindowSpan) -> None:
        record = span.record
        of_trace = self._spans.get(record.trace_id)
        if of_trace is not None:
            of_trace.setdefault(record.span_id, span)
        elif not span.is_open:
            self.past.add(record)
        if record.is_local_root:
            self._roots.setdefault(record.span_id, _local_root(span))

    def _gather_events(self, yield_gil: YieldGil) -> dict[str, Sequence[WindowEvent]]:
        by_source: defaultdict[str, list[WindowEvent]] = defaultdict(list)
        for event in with_yields(self.incident.window.events(), yield_gil):
            by_source[event.record.source].append(event)
        return {
            source: sorted(without_outdated(events), key=lambda event: event.record.start_ns)
            for source, events in by_source.items()
        }

    def _span_of(self, cause: Cause) -> WindowSpan | None:
        span = self.trace.get(cause.span) if cause.trace else None
        return span if span is not None and span.record.trace_id == cause.trace else None

    @property
    def manifest(self) -> Manifest:
        """What the incident says of itself."""
        return self.incident.manifest

    def cause_of(self, trigger: str) -> Cause | None:
        """Return the cause that is looked at if this trigger fired it, else None."""
        cause = self.cause
        return cause if cause is not None and cause.trigger == trigger else None

    @property
    def sources(self) -> Sequence[str]:
        """The sources that have events in the window, by name."""
        return sorted(self._events)

    def events(self, source: str) -> Sequence[WindowEvent]:
        """Return the runtime events of a source, by start."""
        return self._events.get(source, ())

    def events_during(self, source: str, when: Timed) -> list[WindowEvent]:
        """Return the events of a source that touch a stretch of time, by start."""
        return [
            event
            for event in self.events(source)
            if event.record.start_ns < when.end_ns and event.record.end_ns >= when.start_ns
        ]

    def once(self, work_out: Callable[[Evidence], _T]) -> _T:
        """Return what a function works out of this, which is done once for all rules."""
        if work_out not in self._once:
            self._once[work_out] = work_out(self)
        found: _T = self._once[work_out]
        return found

    def spans(self) -> Iterator[WindowSpan]:
        """Yield all spans of the window, which are decoded once more for that."""
        return with_yields(self.incident.window.spans(), self._yield_gil)

    def request_name(self, trace_id: int) -> str:
        """Return the name of the first local root of a trace, empty when none is known."""
        return next((root.name for root in self.roots if root.trace_id == trace_id), "")

    def usual_duration_ns(self, span: WindowSpan) -> int | None:
        """Return the median duration of spans like this in other traces, None if too few.

        Only of those that ended before the slow request began, if one did: others may be slow for
        the same reason.
        """
        if self.slow is None:
            durations = self.past.durations_ns(span.record)
        else:
            durations = self.past.durations_ns(span.record, before_ns=self.slow.start_ns)
        return int(median(durations)) if len(durations) >= _FEWEST_FOR_USUAL else None


def _local_root(span: WindowSpan) -> LocalRoot:
    record = span.record
    return LocalRoot(
        name=record.name,
        kind=record.kind,
        start_ns=record.start_ns,
        end_ns=record.end_ns,
        trace_id=record.trace_id,
        span_id=record.span_id,
        is_open=span.is_open,
        is_error=span.is_error,
    )
