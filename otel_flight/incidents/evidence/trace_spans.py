"""The spans of the trigger's trace that this process recorded, and how they stand to each other."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence

from otel_flight.ground.intervals import union_ns
from otel_flight.incidents.window import WindowSpan
from otel_flight.names.span_attributes import ASGI_DISCONNECT, ASGI_EVENT_TYPE


class TraceSpans:
    """The spans of one trace, as a tree, or as several where parents were lost.

    Parent ids come from outside: each walk ends, whatever they say.

    Attributes:
        spans: all of them, by start.
    """

    def __init__(self, spans: Iterable[WindowSpan]) -> None:
        self.spans = sorted(spans, key=lambda span: span.record.start_ns)
        self._by_id = {span.record.span_id: span for span in self.spans}
        self._children: defaultdict[int, list[WindowSpan]] = defaultdict(list)
        for span in self.spans:
            self._children[span.record.parent_span_id].append(span)

    def get(self, span_id: int) -> WindowSpan | None:
        """Return the span with an id, None when it is not here."""
        return self._by_id.get(span_id)

    def children(self, span: WindowSpan) -> Sequence[WindowSpan]:
        """Return a span's children in this process, by start."""
        return self._children.get(span.record.span_id, ())

    def parent(self, span: WindowSpan) -> WindowSpan | None:
        """Return a span's parent in this process, None when it has none or it is not there."""
        return self._by_id.get(span.record.parent_span_id)

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

    def local_root(self, span: WindowSpan) -> WindowSpan:
        """Return the span of this process's own part of the trace that a span is in."""
        for above in (span, *self.ancestors(span)):
            if above.record.is_local_root:
                return above
        return span

    def innermost(self, root: WindowSpan, moment_ns: int) -> WindowSpan:
        """Return the span at or below `root` that was the innermost one running at a moment."""
        found = root
        for _ in self.spans:
            below = [
                child
                for child in self.children(found)
                if child.start_ns <= moment_ns < child.end_ns
            ]
            if not below:
                break
            found = max(below, key=lambda child: child.start_ns)
        return found

    def culprit(self, span: WindowSpan) -> WindowSpan:
        """Return the deepest span that alone takes at least half of a span's time."""
        found = span
        for _ in self.spans:
            longest = max(
                working(self.children(found)),
                key=lambda child: union_ns([child], span),
                default=None,
            )
            if longest is None or union_ns([longest], span) * 2 < span.duration_ns:
                break
            found = longest
        return found


def working(spans: Iterable[WindowSpan]) -> list[WindowSpan]:
    """Return spans without those in which a server only watches for its client to leave.

    The instrumentation of ASGI has such a span beside each response that is streamed, as long as it
    takes.
    """
    return [
        span for span in spans if span.record.attributes.get(ASGI_EVENT_TYPE) != ASGI_DISCONNECT
    ]
