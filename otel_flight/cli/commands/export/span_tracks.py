"""Puts spans on tracks on which each lies within the one before, as slices of Perfetto must."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from otel_flight.incidents.window import WindowSpan


class Placed(NamedTuple):
    """A span, and where it goes."""

    span: WindowSpan
    root: WindowSpan
    """The first span above it that is in the window; itself if none is."""
    lane: int
    """Which of the tracks of that root; the root is on number 0."""
    depth: int
    """How many of the spans above it are on the same track."""


def placed(spans: Iterable[WindowSpan]) -> Iterator[Placed]:
    """Yield the spans of a window, those of one root and lane from left to right.

    A span is on the track of its parent unless another child is there at that time, or it outlives
    its parent: then it is on a track of its own.
    """
    by_id = {(each.record.trace_id, each.record.span_id): each for each in spans}
    roots: dict[int, WindowSpan] = {}
    families: defaultdict[int, list[WindowSpan]] = defaultdict(list)
    for span in by_id.values():
        families[id(_root_of(span, by_id, roots))].append(span)
    for family in sorted(families.values(), key=lambda each: roots[id(each[0])].start_ns):
        yield from _in_lanes(roots[id(family[0])], family)


def _root_of(
    span: WindowSpan,
    by_id: Mapping[tuple[int, int], WindowSpan],
    roots: dict[int, WindowSpan],
) -> WindowSpan:
    """Return the root of a span, and keep those of all on the way to it."""
    way: dict[int, WindowSpan] = {}
    above: WindowSpan | None = span
    while above is not None and id(above) not in roots and id(above) not in way:
        way[id(above)] = span = above
        parent = (span.record.trace_id, span.record.parent_span_id)
        above = None if span.record.is_local_root else by_id.get(parent)
    root = roots.get(id(above), span)
    roots.update(dict.fromkeys(way, root))
    return root


def _in_lanes(root: WindowSpan, spans: Iterable[WindowSpan]) -> Iterator[Placed]:
    lanes: list[list[WindowSpan]] = []
    for span in sorted(spans, key=lambda each: (each is not root, each.start_ns, -each.end_ns)):
        number = next((n for n, lane in enumerate(lanes) if _has_room(lane, span)), len(lanes))
        if number == len(lanes):
            lanes.append([])
        yield Placed(span, root, number, len(lanes[number]))
        lanes[number].append(span)


def _has_room(lane: list[WindowSpan], span: WindowSpan) -> bool:
    """Whether a span can be the next one of a lane, from which those that are over are removed."""
    while lane and lane[-1].end_ns <= span.start_ns:
        lane.pop()
    return not lane or _fits(span, lane[-1])


def _fits(span: WindowSpan, above: WindowSpan) -> bool:
    is_parent = above.record.span_id == span.record.parent_span_id
    return is_parent and above.start_ns <= span.start_ns and span.end_ns <= above.end_ns
