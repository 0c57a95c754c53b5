"""What happened when: the trigger's trace as a tree of rows, and the requests beside it.

A model without any rendering, and bounded: of many spans and requests the telling ones are kept.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from otel_flight.incidents.evidence.view import EvidenceView, LocalRoot
from otel_flight.incidents.manifest import Explanation, Finding
from otel_flight.report.model.trace_nodes import INFERRED, PAUSE, SPAN, Node
from otel_flight.report.model.trace_rows import Gap, Row, TraceTree

UNLIMITED: Final = 1 << 60
_NO_TRACE_BEFORE_NS: Final = 5_000_000_000
"""How far back the timeline of a trigger without a span reaches."""


@dataclass(frozen=True)
class Neighbour:
    """Another local root that ran at the same time."""

    name: str
    trace_id: str
    offset_ns: int
    """Negative when it began before the axis does."""
    duration_ns: int
    is_error: bool
    is_open: bool
    findings: tuple[int, ...]
    """Numbers of the findings that name it, from 1."""


@dataclass(frozen=True)
class Timeline:
    """Rows on one axis."""

    trace_id: str
    """Of the trigger; empty when it belongs to no span of the window."""
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
    view: EvidenceView,
    findings: Sequence[Finding] = (),
    explanations: Sequence[Explanation] = (),
    *,
    max_rows: int = UNLIMITED,
    max_neighbours: int = UNLIMITED,
) -> Timeline:
    """Return the timeline of an incident.

    Args:
        view: its evidence.
        findings: its findings, whose numbers stand at the rows they name.
        explanations: what hangs below the spans.
        max_rows: the most of the trigger's request to keep.
        max_neighbours: the most other local roots to keep.
    """
    tree = TraceTree(view, findings, explanations, max_rows)
    nodes = tree.nodes.all
    kinds = Counter(node.kind for node in nodes)
    start, end = _axis(view, nodes)
    trace_id = view.trigger.record.trace_id if view.trigger is not None else 0
    own = {node.id for node in nodes}
    others = [
        root
        for root in view.roots
        if f"{root.span_id:016x}" not in own and root.start_ns < end and root.end_ns > start
    ]
    return Timeline(
        trace_id=f"{trace_id:032x}" if trace_id else "",
        start_ns=start,
        length_ns=end - start,
        rows=tuple(tree.rows()),
        spans=kinds[SPAN],
        pauses=kinds[PAUSE],
        inferred=kinds[INFERRED],
        neighbours=tuple(_neighbours(others, findings, start, end, max_neighbours)),
        neighbours_total=len(others),
        neighbour_names=tuple(Counter(root.name for root in others).most_common()),
    )


def _axis(view: EvidenceView, nodes: Sequence[Node]) -> tuple[int, int]:
    """Return the wall-clock times between which the timeline is drawn."""
    manifest = view.incident.manifest
    if nodes:
        start = nodes[0].start_ns
        return start, max(start + 1, *(node.end_ns for node in nodes))
    cause = manifest.trigger
    fired = (cause.time_ns if cause is not None else 0) or manifest.opened_ns
    start = max(fired - _NO_TRACE_BEFORE_NS, manifest.coverage.start_ns)
    return start, max(start + 1, manifest.closed_ns)


def _neighbours(
    roots: Iterable[LocalRoot], findings: Sequence[Finding], start: int, end: int, most: int
) -> Iterator[Neighbour]:
    """Yield the roots that findings name, the failed, the open and the longest, by their start."""
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for number, finding in enumerate(findings, 1):
        numbers[str(finding.evidence.get("root_span_id", ""))].append(number)

    def weight(root: LocalRoot) -> tuple[bool, bool, bool, int]:
        overlap = min(root.end_ns, end) - max(root.start_ns, start)
        return f"{root.span_id:016x}" in numbers, root.is_error, root.is_open, overlap

    chosen = sorted(roots, key=weight, reverse=True)[:most]
    for root in sorted(chosen, key=lambda root: root.start_ns):
        yield Neighbour(
            name=root.name,
            trace_id=f"{root.trace_id:032x}",
            offset_ns=root.start_ns - start,
            duration_ns=max(0, root.end_ns - root.start_ns),
            is_error=root.is_error,
            is_open=root.is_open,
            findings=tuple(numbers.get(f"{root.span_id:016x}", ())),
        )
