"""What stands in the tree of the trigger's trace: its spans, and what explains them.

Pauses and inferred spans hang below the span they interrupt, as they do in a backend.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.manifest import Explanation
from otel_flight.incidents.window import WindowSpan
from otel_flight.interpreter.code.origin import file_name
from otel_flight.names import attributes as names
from otel_flight.names import sent_attributes
from otel_flight.records.ids import id_of, span_text
from otel_flight.words import one_line

SPAN: Final = "span"
PAUSE: Final = sent_attributes.KIND_PAUSE
INFERRED: Final = sent_attributes.KIND_INFERRED
_LONGEST_DETAIL: Final = 160


@dataclass(frozen=True)
class Node:
    """A span, a pause or an inferred span. Times are nanoseconds since the epoch."""

    id: str
    parent_id: str
    name: str
    start_ns: int
    end_ns: int
    kind: str = SPAN
    detail: str = ""
    """Where in the program it was, and for whom."""
    is_trigger: bool = False
    is_error: bool = False
    is_open: bool = False

    @property
    def duration_ns(self) -> int:
        """How long it took, until the incident closed if it was open."""
        return max(0, self.end_ns - self.start_ns)


class TraceNodes:
    """What belongs to the trigger's request: the spans around it, and all below the topmost.

    Attributes:
        tops: the topmost span above the trigger, and spans beside it whose parents were lost.
            Others of the same trace, which entered this process by another request, are not here.
        all: everything at or below those, by start.

    Args:
        evidence: the evidence the spans are in.
        explanations: what hangs below them.
    """

    def __init__(self, evidence: Evidence, explanations: Sequence[Explanation]) -> None:
        self.tops: list[Node] = []
        self._children: defaultdict[str, list[Node]] = defaultdict(list)
        self._nodes: dict[str, Node] = {}
        for top in _tops(evidence):
            node = _of_span(top, evidence)
            self.tops.append(node)
            self._nodes[node.id] = node  # below nothing, even where the parent ids make a circle
            for span in evidence.trace.descendants(top):
                self._add(_of_span(span, evidence))
        for number, each in enumerate(explanations):
            if each.parent_span_id in self._nodes:
                self._add(_of_explanation(each, number, evidence))
        for children in self._children.values():
            children.sort(key=lambda node: (node.start_ns, -node.end_ns))
        self.all = sorted(self._nodes.values(), key=lambda node: node.start_ns)

    def _add(self, node: Node) -> None:
        self._nodes[node.id] = node
        self._children[node.parent_id].append(node)

    def get(self, span_id: str) -> Node | None:
        """Return what has this id, None when it is not here."""
        return self._nodes.get(span_id)

    def children(self, node: Node) -> Sequence[Node]:
        """Return what is directly below, by start."""
        return self._children.get(node.id, ())

    def line(self, node: Node) -> list[Node]:
        """Return a node and all above it."""
        found, above = [node], self._nodes.get(node.parent_id)
        while above is not None and above not in found:
            found.append(above)
            above = self._nodes.get(above.parent_id)
        return found

    def below(self, node: Node) -> Iterator[Node]:
        """Yield everything below a node."""
        waiting, seen = deque(self.children(node)), {node.id}
        while waiting:
            found = waiting.popleft()
            if found.id not in seen:
                seen.add(found.id)
                yield found
                waiting.extend(self.children(found))


def _of_span(span: WindowSpan, evidence: Evidence) -> Node:
    record = span.record
    return Node(
        id=span_text(span.record.span_id),
        parent_id=span_text(record.parent_span_id),
        name=record.name,
        start_ns=record.start_ns,
        end_ns=record.end_ns,
        is_trigger=span is evidence.trigger,
        is_error=span.is_error,
        is_open=span.is_open,
    )


def _of_explanation(item: Explanation, number: int, evidence: Evidence) -> Node:
    return Node(
        id=item.id or f"explanation {number}",
        parent_id=item.parent_span_id,
        name=item.name,
        start_ns=item.start_ns,
        end_ns=item.end_ns,
        kind=item.kind,
        detail=one_line(_detail(item, evidence), _LONGEST_DETAIL),
    )


def _detail(item: Explanation, evidence: Evidence) -> str:
    attributes = item.attributes
    function = str(attributes.get(names.FUNCTION, ""))
    file = file_name(str(attributes.get(names.FILE, "")))
    place = f"{file}:{attributes.get(names.LINE, '?')}" if file else ""
    words = [place] if item.kind == INFERRED else [f"{function} ({place})" if place else function]
    if item.link_trace_id:
        name = evidence.request_name(id_of(item.link_trace_id))
        words.append(f"of {name or 'another request'}")
    return " ".join(filter(None, words))


def _tops(evidence: Evidence) -> list[WindowSpan]:
    if evidence.trigger is None:
        return []
    top = [evidence.trigger, *evidence.trace.ancestors(evidence.trigger)][-1].record
    return [
        span
        for span in evidence.trace.spans
        if span.record is top
        or (
            evidence.trace.parent(span) is None
            and not span.record.is_local_root
            and top.start_ns <= span.start_ns < top.end_ns
        )
    ]
