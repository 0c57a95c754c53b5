"""The spans of one trace as rows of a tree.

Of a huge trace the telling rows are kept, and each gap says how much is left out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from otel_flight.incidents.findings.base import STATUS_ERROR, EvidenceView, span_id_text
from otel_flight.incidents.manifest import Finding
from otel_flight.incidents.window import WindowSpan

_REPEATED: Final = 8
"""So many siblings of one name are shown by their longest alone, when rows are scarce."""


@dataclass(frozen=True)
class Row:
    """One span of the trigger's trace. Times are nanoseconds; offsets are from the axis' start."""

    name: str
    span_id: str
    depth: int
    tree: str
    """Guides to draw before the name: `│ └ `."""
    offset_ns: int
    duration_ns: int
    is_trigger: bool
    is_error: bool
    is_open: bool
    findings: tuple[int, ...]
    """Numbers of the findings that name this span, from 1."""


@dataclass(frozen=True)
class Gap:
    """Spans left out at one place of the tree."""

    spans: int
    name: str
    """Name of the topmost ones when they all have the same, else empty."""
    depth: int
    tree: str
    offset_ns: int
    end_ns: int
    """Offset of the last one's end."""


class TraceTree:
    """What belongs to the trigger's request: the spans around it, and all below the topmost.

    Attributes:
        spans: those spans, by start. Others of the same trace, which entered this process by
            another request, are not among them.

    Args:
        view: the evidence they are in.
        findings: mark the spans they name, by their numbers.
        max_rows: the most spans to show.
    """

    def __init__(self, view: EvidenceView, findings: Sequence[Finding], max_rows: int) -> None:
        self._view = view
        self._numbers: defaultdict[str, list[int]] = defaultdict(list)
        for number, finding in enumerate(findings, 1):
            self._numbers[str(finding.evidence.get("span_id", ""))].append(number)
        self._tops = _tops(view)
        everything = [each for top in self._tops for each in (top, *view.descendants(top))]
        self.spans = sorted(everything, key=lambda span: span.record.start_ns)
        self._start_ns = self.spans[0].record.start_ns if self.spans else 0
        self._shown: set[int] = set()
        self._choose(max_rows)

    def rows(self) -> Iterator[Row | Gap]:
        """Yield what is shown, parents before their children."""
        waiting: list[tuple[list[WindowSpan], int, str, bool]] = []
        self._push(waiting, self._tops, 0, "")
        while waiting:
            group, depth, guides, is_last = waiting.pop()
            branch = ("└ " if is_last else "├ ") if depth else ""
            tree = guides + branch
            if group[0].record.span_id not in self._shown:
                yield self._gap(group, depth, tree)
                continue
            yield self._row(group[0], depth, tree)
            below = guides + (("  " if is_last else "│ ") if depth else "")
            self._push(waiting, self._view.children(group[0]), depth + 1, below)

    def _push(
        self,
        waiting: list[tuple[list[WindowSpan], int, str, bool]],
        siblings: Sequence[WindowSpan],
        depth: int,
        guides: str,
    ) -> None:
        """Put siblings on the stack, those left out together as far as they stand together."""
        groups: list[list[WindowSpan]] = []
        for span in siblings:
            is_shown = span.record.span_id in self._shown
            if groups and not is_shown and groups[-1][0].record.span_id not in self._shown:
                groups[-1].append(span)
            else:
                groups.append([span])
        waiting.extend((group, depth, guides, group is groups[-1]) for group in reversed(groups))

    def _choose(self, max_rows: int) -> None:
        view = self._view
        if len(self.spans) <= max_rows:
            self._shown = {span.record.span_id for span in self.spans}
            return
        for span in self._by_interest(max_rows):
            line = [span, *view.ancestors(span)]
            missing = {each.record.span_id for each in line} - self._shown
            if len(self._shown) + len(missing) <= max_rows:
                self._shown |= missing

    def _by_interest(self, max_rows: int) -> Iterator[WindowSpan]:
        """Yield the trigger, what findings name, some failed and open ones, then the longest."""
        view = self._view
        if view.trigger is not None:
            yield view.trigger
        if view.slow is not None:
            yield view.culprit(view.slow)
        spans = self.spans
        yield from (span for span in spans if span_id_text(span) in self._numbers)
        notable = [
            span for span in spans if span.is_open or span.record.status_code == STATUS_ERROR
        ]
        yield from notable[: max(1, max_rows // 3)]
        siblings = Counter((span.record.parent_span_id, span.record.name) for span in spans)
        seen: set[tuple[int, str]] = set()
        for span in sorted(spans, key=lambda each: each.duration_ns, reverse=True):
            key = (span.record.parent_span_id, span.record.name)
            if siblings[key] < _REPEATED or key not in seen:
                yield span
            seen.add(key)

    def _row(self, span: WindowSpan, depth: int, tree: str) -> Row:
        view, record = self._view, span.record
        return Row(
            name=record.name,
            span_id=span_id_text(span),
            depth=depth,
            tree=tree,
            offset_ns=record.start_ns - self._start_ns,
            duration_ns=max(0, span.duration_ns),
            is_trigger=span is view.trigger,
            is_error=record.status_code == STATUS_ERROR,
            is_open=span.is_open,
            findings=tuple(self._numbers.get(span_id_text(span), ())),
        )

    def _gap(self, group: Sequence[WindowSpan], depth: int, tree: str) -> Gap:
        names = {span.record.name for span in group}
        below = sum(1 for span in group for _ in self._view.descendants(span))
        return Gap(
            spans=len(group) + below,
            name=names.pop() if len(names) == 1 else "",
            depth=depth,
            tree=tree,
            offset_ns=group[0].record.start_ns - self._start_ns,
            end_ns=max(span.record.end_ns for span in group) - self._start_ns,
        )


def _tops(view: EvidenceView) -> list[WindowSpan]:
    """Return the topmost span above the trigger, and spans beside it whose parents were lost."""
    if view.trigger is None:
        return []
    top = [view.trigger, *view.ancestors(view.trigger)][-1].record
    return [
        span
        for span in view.trace
        if span.record is top
        or (
            view.parent(span) is None
            and not span.record.is_local_root
            and top.start_ns <= span.record.start_ns < top.end_ns
        )
    ]
