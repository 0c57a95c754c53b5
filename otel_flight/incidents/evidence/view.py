"""What a rule is, and what it may look at: the evidence, gathered in one pass over the window."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from statistics import median
from typing import Final, Protocol

import msgspec

from otel_flight.incidents.evidence.past_spans import PastSpans
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.manifest import Cause, Finding
from otel_flight.incidents.window import WindowEvent, WindowSpan, without_outdated
from otel_flight.records.records import Span, SpanStart
from otel_flight.ring.layout import LANE_SPANS
from otel_flight.settings.quantities import format_duration

ERROR_TRIGGERS: Final = frozenset({"error_span", "log_record", "unhandled_exception"})
SLOW_TRIGGERS: Final = frozenset({"slow_root", "slow_open_root"})
STATUS_ERROR: Final = 2
"""Value of `StatusCode.ERROR`."""
_ASGI_EVENT: Final = "asgi.event.type"
_CLIENT_LEFT: Final = "http.disconnect"
_RECORDS_BETWEEN_PAUSES: Final = 64
_FEWEST_FOR_USUAL: Final = 10


class Rule(Protocol):
    """Look for one thing. Where in doubt, find nothing: a wrong finding costs more than none."""

    def __call__(self, view: EvidenceView) -> Finding | None:
        """Return what was found, None when this rule has nothing to say."""
        ...


def rule_name(rule: Rule) -> str:
    """Return what the findings of a rule have as their `rule`: its name without `find_`."""
    return str(getattr(rule, "__name__", "finding")).removeprefix("find_")


class LocalRoot(msgspec.Struct, frozen=True, gc=False):
    """A request or job of the window, in short; garbage collection does not track it."""

    name: str
    kind: int
    start_ns: int
    end_ns: int
    """For an open one, when the incident closed."""
    trace_id: int
    span_id: int
    is_open: bool
    is_error: bool


class EvidenceView:
    """The window as rules and reports need it.

    Attributes:
        incident: where it comes from.
        roots: all local roots that ended in the window or were open at its end, by start.
        trace: the spans of the trigger's trace, by start.
        trigger: the span that the first cause names; None when it names none, or one that is not
            in the window.
        slow: the span in the trigger's trace that a cause calls slow; None when no cause does.
        threads: by the span id of a local root, the thread that it started on.
        past: how long the ended spans of other traces took.
    """

    def __init__(self, incident: Incident, pause: Callable[[], None] | None = None) -> None:
        self.incident = incident
        cause = incident.manifest.trigger
        self._trace_id = int(cause.trace_id, 16) if cause is not None and cause.trace_id else 0
        self._spans: dict[int, WindowSpan] = {}
        self._roots: dict[int, LocalRoot] = {}
        self.past = PastSpans()
        self.threads: dict[int, int] = {}
        self._events: defaultdict[str, list[WindowEvent]] = defaultdict(list)
        self._gather(pause or _go_on)
        self._gather_events(pause or _go_on)
        self.roots = sorted(self._roots.values(), key=lambda root: root.start_ns)
        self.trace = sorted(self._spans.values(), key=lambda span: span.record.start_ns)
        self._children: defaultdict[int, list[WindowSpan]] = defaultdict(list)
        for span in self.trace:
            self._children[span.record.parent_span_id].append(span)
        self.trigger = self._span_of(cause) if cause is not None else None
        slow = (each for each in incident.manifest.causes if each.trigger in SLOW_TRIGGERS)
        self.slow = next(filter(None, map(self._span_of, slow)), None)

    def _gather(self, pause: Callable[[], None]) -> None:
        """Go over the spans once; `pause` is called now and then, so that others can run."""
        window = self.incident.window
        for number, item in enumerate(window.records(LANE_SPANS)):
            if number % _RECORDS_BETWEEN_PAUSES == 0:
                pause()
            record = item.record
            if isinstance(record, Span):
                self._add_span(WindowSpan(record, item.number, item.scope, item.resource))
            elif isinstance(record, SpanStart):
                self.threads[record.span_id] = record.thread_id
        for span in window.unfinished():
            self._add_span(span)

    def _add_span(self, span: WindowSpan) -> None:
        record = span.record
        if self._trace_id and record.trace_id == self._trace_id:
            self._spans.setdefault(record.span_id, span)
        elif not span.is_open:
            self.past.add(record)
        if record.is_local_root:
            self._roots.setdefault(record.span_id, _local_root(span))

    def _gather_events(self, pause: Callable[[], None]) -> None:
        for number, event in enumerate(self.incident.window.events()):
            if number % _RECORDS_BETWEEN_PAUSES == 0:
                pause()
            self._events[event.record.source].append(event)
        for source, events in self._events.items():
            settled = without_outdated(events)
            self._events[source] = sorted(settled, key=lambda event: event.record.start_ns)

    @property
    def sources(self) -> Sequence[str]:
        """The sources that have events in the window, by name."""
        return sorted(self._events)

    def events(self, source: str) -> Sequence[WindowEvent]:
        """Return the runtime events of a source, by start."""
        return self._events.get(source, ())

    def events_between(self, source: str, start_ns: int, end_ns: int) -> list[WindowEvent]:
        """Return the events of a source that touch the time between two moments, by start."""
        return [
            event
            for event in self.events(source)
            if event.record.start_ns < end_ns and event.record.end_ns >= start_ns
        ]

    def local_root(self, span: WindowSpan) -> WindowSpan:
        """Return the span of this process's own part of the trace that a span is in."""
        for above in (span, *self.ancestors(span)):
            if above.record.is_local_root:
                return above
        return span

    def innermost(self, root: WindowSpan, moment_ns: int) -> WindowSpan:
        """Return the span at or below `root` that was the innermost one running at a moment."""
        found = root
        for _ in self.trace:  # at most so many steps down, whatever the parent ids say
            below = [
                child
                for child in self.children(found)
                if child.record.start_ns <= moment_ns < child.record.end_ns
            ]
            if not below:
                break
            found = max(below, key=lambda child: child.record.start_ns)
        return found

    def children(self, span: WindowSpan) -> Sequence[WindowSpan]:
        """Return a span's children in this process, by start."""
        return self._children.get(span.record.span_id, ())

    def parent(self, span: WindowSpan) -> WindowSpan | None:
        """Return a span's parent in this process, None when it has none or it is not there."""
        return self._spans.get(span.record.parent_span_id)

    def ancestors(self, span: WindowSpan) -> list[WindowSpan]:
        """Return a span's parent, its parent's parent and so on."""
        found: list[WindowSpan] = []
        seen = {span.record.span_id}
        above = self.parent(span)
        while above is not None and above.record.span_id not in seen:
            found.append(above)
            seen.add(above.record.span_id)
            above = self.parent(above)
        return found

    def descendants(self, span: WindowSpan) -> Iterator[WindowSpan]:
        """Yield everything below a span, parents before their children."""
        seen = {span.record.span_id}
        waiting = deque(self.children(span))
        while waiting:
            found = waiting.popleft()
            if found.record.span_id not in seen:
                seen.add(found.record.span_id)
                yield found
                waiting.extend(self.children(found))

    def culprit(self, span: WindowSpan) -> WindowSpan:
        """Return the deepest span that alone takes at least half of a span's time."""
        found = span
        for _ in self.trace:  # at most so many steps down, whatever the parent ids say
            longest = max(
                working(self.children(found)),
                key=lambda child: time_within([child], span),
                default=None,
            )
            if longest is None or time_within([longest], span) * 2 < span.duration_ns:
                break
            found = longest
        return found

    def usual_duration_ns(self, span: WindowSpan) -> int | None:
        """Return the median duration of spans like this in other traces, None if too few.

        Only of those that ended before the slow request began, if one did: others may be slow for
        the same reason.
        """
        past = self.past
        if self.slow is None:
            durations = past.durations_ns(span.record)
        else:
            durations = past.durations_ns(span.record, before_ns=self.slow.record.start_ns)
        return int(median(durations)) if len(durations) >= _FEWEST_FOR_USUAL else None

    def _span_of(self, cause: Cause) -> WindowSpan | None:
        is_here = bool(cause.trace_id) and int(cause.trace_id, 16) == self._trace_id
        return self._spans.get(int(cause.span_id, 16)) if is_here and cause.span_id else None


def _go_on() -> None:
    """Let nobody else run: there is nobody, or it is not worth the while."""


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
        is_error=record.status_code == STATUS_ERROR,
    )


def working(spans: Iterable[WindowSpan]) -> list[WindowSpan]:
    """Return spans without those in which a server only watches for its client to leave.

    The instrumentation of ASGI has such a span beside each response that is streamed, as long as it
    takes.
    """
    return [span for span in spans if span.record.attributes.get(_ASGI_EVENT) != _CLIENT_LEFT]


def time_within(spans: Iterable[WindowSpan], outer: WindowSpan) -> int:
    """Return how many nanoseconds of a span's time at least one of `spans` was running."""
    return time_between(spans, outer.record.start_ns, outer.record.end_ns)


def time_between(spans: Iterable[WindowSpan], start_ns: int, end_ns: int) -> int:
    """Return how many nanoseconds between two moments at least one of `spans` was running."""
    covered = 0
    reached = start_ns
    for span in sorted(spans, key=lambda each: each.record.start_ns):
        start = max(span.record.start_ns, reached)
        end = min(span.record.end_ns, end_ns)
        if end > start:
            covered += end - start
            reached = end
    return covered


def span_id_text(span: WindowSpan) -> str:
    """Return a span's id in hexadecimal digits."""
    return f"{span.record.span_id:016x}"


def short_duration(nanoseconds: float) -> str:
    """Return a duration in three digits, as settings are written: `2.41s`, `12.3ms`."""
    return format_duration(float(f"{max(0.0, nanoseconds) / 1e9:.3g}"))


def quoted(name: str, longest: int = 80) -> str:
    """Return a span's name as it stands in a sentence."""
    return f"`{one_line(name, longest)}`"


def one_line(text: str, longest: int) -> str:
    """Return a text in one line, cut with `…`.

    Whatever a terminal would obey (line breaks, escape sequences, text direction) becomes blanks:
    names and messages come from requests.
    """
    printable = (char if char.isprintable() else " " for char in text[: longest * 4])
    line = " ".join("".join(printable).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
