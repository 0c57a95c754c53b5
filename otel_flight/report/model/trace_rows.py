"""The spans of one trace, and what explains them, as rows of a tree.

Of a huge trace the telling rows are kept, and each gap says how much is left out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.manifest import Explanation, Finding
from otel_flight.names import evidence as keys
from otel_flight.records.ids import span_text
from otel_flight.report.model.trace_nodes import PAUSE, SPAN, Node, TraceNodes

_REPEATED: Final = 8
"""Of this many siblings of one name, or more, the longest stands for all when rows are scarce."""


@dataclass(frozen=True)
class Row:
    """A span of the trigger's trace, or what explains one.

    Times are nanoseconds; offsets are from the axis' start.
    """

    name: str
    span_id: str
    """Its id; empty for what is not the application's own."""
    depth: int
    tree: str
    """Guides to draw before the name: `│ └ `."""
    offset_ns: int
    duration_ns: int
    is_trigger: bool
    is_error: bool
    is_open: bool
    findings: tuple[int, ...]
    """Numbers of the findings that name this span, or this kind of pause, from 1."""
    kind: str = SPAN
    """`span`, `pause` or `inferred`."""
    detail: str = ""
    """Where in the program a pause or inferred span was, and for whom."""


@dataclass(frozen=True)
class Gap:
    """What was left out at one place of the tree."""

    spans: int
    """How many spans, pauses and inferred spans."""
    name: str
    """Name of the topmost ones when they all have the same, else empty."""
    depth: int
    tree: str
    offset_ns: int
    end_ns: int
    """When the last of them ended, from the start of the axis."""


class TraceTree:
    """The rows of the trigger's request.

    Attributes:
        nodes: everything there is to show.

    Args:
        evidence: the evidence it is in.
        findings: mark the spans they name, by their numbers, and the pauses they are called after.
        explanations: what hangs below the spans.
        max_rows: the most rows to show, gaps not counted.
    """

    def __init__(
        self,
        evidence: Evidence,
        findings: Sequence[Finding],
        explanations: Sequence[Explanation],
        max_rows: int,
    ) -> None:
        self._evidence = evidence
        self._numbers: defaultdict[str, list[int]] = defaultdict(list)
        self.nodes = TraceNodes(evidence, explanations)
        for number, finding in enumerate(findings, 1):
            self._numbers[str(finding.evidence.get(keys.SPAN_ID, ""))].append(number)
            for node in self.nodes.all:
                if node.kind == PAUSE and node.name == finding.rule.replace("_", " "):
                    self._numbers[node.id].append(number)
        self._start_ns = self.nodes.all[0].start_ns if self.nodes.all else 0
        self._shown: set[str] = set()
        self._choose(max_rows)

    def rows(self) -> Iterator[Row | Gap]:
        """Yield what is shown, parents before their children."""
        waiting: list[tuple[list[Node], int, str, bool]] = []
        self._push(waiting, self.nodes.tops, 0, "")
        while waiting:
            group, depth, guides, is_last = waiting.pop()
            branch = ("└ " if is_last else "├ ") if depth else ""
            tree = guides + branch
            if group[0].id not in self._shown:
                yield self._gap(group, depth, tree)
                continue
            yield self._row(group[0], depth, tree)
            below = guides + (("  " if is_last else "│ ") if depth else "")
            self._push(waiting, self.nodes.children(group[0]), depth + 1, below)

    def _push(
        self,
        waiting: list[tuple[list[Node], int, str, bool]],
        siblings: Sequence[Node],
        depth: int,
        guides: str,
    ) -> None:
        """Put siblings on the stack, those left out together as far as they stand together."""
        groups: list[list[Node]] = []
        for node in siblings:
            if groups and not {node.id, groups[-1][0].id} & self._shown:
                groups[-1].append(node)
            else:
                groups.append([node])
        waiting.extend((group, depth, guides, group is groups[-1]) for group in reversed(groups))

    def _choose(self, max_rows: int) -> None:
        nodes = self.nodes
        if len(nodes.all) <= max_rows:
            self._shown = {node.id for node in nodes.all}
            return
        for node in self._by_interest(max_rows):
            missing = {each.id for each in nodes.line(node)} - self._shown
            if len(self._shown) + len(missing) <= max_rows:
                self._shown |= missing

    def _by_interest(self, max_rows: int) -> Iterator[Node]:
        """Yield the trigger, what findings name, some failed, open and paused, then the longest."""
        evidence, nodes = self._evidence, self.nodes
        spans = [evidence.trigger] if evidence.trigger is not None else []
        spans += [evidence.trace.culprit(evidence.slow)] if evidence.slow is not None else []
        ids = [span_text(span.record.span_id) for span in spans]
        ids += [node.id for node in nodes.all if node.id in self._numbers]
        yield from filter(None, map(nodes.get, ids))
        longest = sorted(nodes.all, key=lambda node: node.duration_ns, reverse=True)
        some = max(1, max_rows // 3)
        yield from [node for node in nodes.all if node.is_open or node.is_error][:some]
        yield from [node for node in longest if node.kind == PAUSE][:some]
        siblings = Counter((node.parent_id, node.name) for node in nodes.all)
        seen: set[tuple[str, str]] = set()
        for node in longest:
            key = (node.parent_id, node.name)
            if siblings[key] < _REPEATED or key not in seen:
                yield node
            seen.add(key)

    def _row(self, node: Node, depth: int, tree: str) -> Row:
        return Row(
            name=node.name,
            span_id=node.id if node.kind == SPAN else "",
            depth=depth,
            tree=tree,
            offset_ns=node.start_ns - self._start_ns,
            duration_ns=node.duration_ns,
            is_trigger=node.is_trigger,
            is_error=node.is_error,
            is_open=node.is_open,
            findings=tuple(self._numbers.get(node.id, ())),
            kind=node.kind,
            detail=node.detail,
        )

    def _gap(self, group: Sequence[Node], depth: int, tree: str) -> Gap:
        names = {node.name for node in group}
        return Gap(
            spans=len(group) + sum(1 for node in group for _ in self.nodes.below(node)),
            name=names.pop() if len(names) == 1 else "",
            depth=depth,
            tree=tree,
            offset_ns=group[0].start_ns - self._start_ns,
            end_ns=max(node.end_ns for node in group) - self._start_ns,
        )
