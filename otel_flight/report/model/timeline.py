"""What happened when: the trigger's trace as a tree of rows, and the requests beside it.

A model without any rendering, and bounded: of many spans and requests the telling ones are kept.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from otel_flight.ground.intervals import Interval, overlap_ns
from otel_flight.incidents.evidence.evidence import Evidence, LocalRoot
from otel_flight.incidents.manifest import Explanation, Finding
from otel_flight.names import evidence as keys
from otel_flight.records.ids import span_text, trace_text
from otel_flight.report.model.trace_nodes import INFERRED, PAUSE, SPAN, Node
from otel_flight.report.model.trace_rows import Gap, Row, TraceTree

UNLIMITED: Final = 1 << 60
_NO_TRACE_BEFORE_NS: Final = 5_000_000_000
"""The timeline of a trigger without a span reaches back this many nanoseconds."""


@dataclass(frozen=True)
class Neighbour:
    """Another local root that ran at the same time."""

    name: str
    trace_id: str
    offset_ns: int
    """When it began, from the start of the axis; negative when it was there before."""
    duration_ns: int
    is_error: bool
    is_open: bool
    findings: tuple[int, ...]
    """Numbers of the findings that name it, from 1."""


@dataclass(frozen=True)
class Timeline:
    """Rows on one axis."""

    trace_id: str
    """The trigger's trace; empty when it belongs to no span of the window."""
    start_ns: int
    """Wall-clock time of the axis' start."""
    length_ns: int
    rows: tuple[Row | Gap, ...]
    spans: int
    """Spans of the trigger's request, shown or not."""
    pauses: int
    """Pauses within them, shown or not."""
    inferred: int
    """Inferred spans within them, shown or not."""
    neighbours: tuple[Neighbour, ...]
    neighbours_total: int
    neighbour_names: tuple[tuple[str, int], ...]
    """How many there are of each name, most first, shown or not."""


def build_timeline(
    evidence: Evidence,
    findings: Sequence[Finding] = (),
    explanations: Sequence[Explanation] = (),
    *,
    max_rows: int = UNLIMITED,
    max_neighbours: int = UNLIMITED,
) -> Timeline:
    """Return the timeline of an incident.

    Args:
        evidence: its evidence.
        findings: its findings, whose numbers stand at the rows they name.
        explanations: what hangs below the spans.
        max_rows: the most of the trigger's request to keep.
        max_neighbours: the most other local roots to keep.
    """
    tree = TraceTree(evidence, findings, explanations, max_rows)
    nodes = tree.nodes.all
    kinds = Counter(node.kind for node in nodes)
    axis = _axis(evidence, nodes)
    trace_id = evidence.trigger.record.trace_id if evidence.trigger is not None else 0
    own = {node.id for node in nodes}
    others = [
        root
        for root in evidence.roots
        if span_text(root.span_id) not in own
        and root.start_ns < axis.end_ns
        and root.end_ns > axis.start_ns
    ]
    return Timeline(
        trace_id=trace_text(trace_id),
        start_ns=axis.start_ns,
        length_ns=axis.duration_ns,
        rows=tuple(tree.rows()),
        spans=kinds[SPAN],
        pauses=kinds[PAUSE],
        inferred=kinds[INFERRED],
        neighbours=tuple(_neighbours(others, findings, axis, max_neighbours)),
        neighbours_total=len(others),
        neighbour_names=tuple(Counter(root.name for root in others).most_common()),
    )


def _axis(evidence: Evidence, nodes: Sequence[Node]) -> Interval:
    """Return the wall-clock times between which the timeline is drawn."""
    manifest = evidence.manifest
    if nodes:
        start = nodes[0].start_ns
        return Interval(start, max(start + 1, *(node.end_ns for node in nodes)))
    start = max(manifest.fired_ns - _NO_TRACE_BEFORE_NS, manifest.coverage.start_ns)
    return Interval(start, max(start + 1, manifest.closed_ns))


def _neighbours(
    roots: Iterable[LocalRoot], findings: Sequence[Finding], axis: Interval, most: int
) -> Iterator[Neighbour]:
    """Yield the roots that findings name, the failed, the open and the longest, by their start."""
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for number, finding in enumerate(findings, 1):
        numbers[str(finding.evidence.get(keys.ROOT_SPAN_ID, ""))].append(number)

    def weight(root: LocalRoot) -> tuple[bool, bool, bool, int]:
        is_named = span_text(root.span_id) in numbers
        return is_named, root.is_error, root.is_open, overlap_ns(root, axis)

    chosen = sorted(roots, key=weight, reverse=True)[:most]
    for root in sorted(chosen, key=lambda root: root.start_ns):
        yield Neighbour(
            name=root.name,
            trace_id=trace_text(root.trace_id),
            offset_ns=root.start_ns - axis.start_ns,
            duration_ns=max(0, root.duration_ns),
            is_error=root.is_error,
            is_open=root.is_open,
            findings=tuple(numbers.get(span_text(root.span_id), ())),
        )
