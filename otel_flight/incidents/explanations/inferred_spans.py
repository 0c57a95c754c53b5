"""Spans that nobody made: the functions a slow request was in, as its stack samples show.

Consecutive samples in the same function are one span; functions called from it are spans below.
They begin and end halfway between two samples, so they are as exact as the samples are close.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, Final

from otel_flight.incidents.evidence.durations.pauses import find_pauses
from otel_flight.incidents.evidence.durations.samples import MOST_SAMPLES, Sample, samples_of
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.places import application_frames
from otel_flight.incidents.manifest import Explanation
from otel_flight.incidents.window import WindowEvent, WindowSpan
from otel_flight.names import attributes as names
from otel_flight.names import sent_attributes, source_names
from otel_flight.records.ids import span_text, trace_text

MOST_DEEP: Final = 8
"""At most this many functions are shown below one another, the innermost ones of a deeper stack."""
MOST_UNFOLDED: Final = 64
"""At most this many are, where those of servers and frameworks are shown as well."""
MOST_SPANS: Final = 100
"""One incident gets at most this many inferred spans: the outermost functions, then the longest."""
_LONGEST_NAME: Final = 200


@dataclass
class _Node:
    """One function, over samples that follow each other."""

    key: tuple[str, str]
    start_ns: int
    end_ns: int
    samples: int = 0
    lines: Counter[int] = field(default_factory=Counter)
    extras: Counter[tuple[tuple[str, str], ...]] = field(default_factory=Counter)
    children: list[_Node] = field(default_factory=list)


def infer_spans(evidence: Evidence, *, is_unfolded: bool = False) -> list[Explanation]:
    """Return what the trigger's request was seen doing, by start, parents before their children.

    Args:
        evidence: the incident.
        is_unfolded: also in the functions of servers, frameworks and the interpreter.
    """
    if evidence.trigger is None:
        return []
    root = evidence.trace.local_root(evidence.trigger)
    stalls = [
        pause.event
        for pause in find_pauses(evidence)
        if pause.event.record.source == source_names.EVENT_LOOP
    ]
    samples = [
        _outside(sample, stalls)
        for sample in samples_of(evidence, root)[:MOST_SAMPLES]
        if not _is_held_up(sample, stalls)
    ]
    found: list[tuple[_Node, WindowSpan]] = []
    for _, group in groupby(
        ((sample, evidence.trace.innermost(root, sample.event.start_ns)) for sample in samples),
        key=lambda each: each[1].record.span_id,
    ):
        together, spans = zip(*group, strict=True)
        span = spans[0]
        found += [(node, span) for node in _folded(list(together), is_unfolded)]
    return list(_explanations(evidence, _largest(found)))


def _is_held_up(sample: Sample, stalls: Sequence[WindowEvent]) -> bool:
    """Whether a task seems to wait while it is the event loop that does not come round to it."""
    moment = sample.event.start_ns
    return bool(sample.wait_kind) and any(
        stall.start_ns <= moment < stall.end_ns
        and stall.record.thread_id == sample.event.record.thread_id
        for stall in stalls
    )


def _outside(sample: Sample, stalls: Sequence[WindowEvent]) -> Sample:
    """Let a wait end where the loop is blocked, and begin again when it no longer is."""
    moment, thread_id = sample.event.start_ns, sample.event.record.thread_id
    around = [each for each in stalls if sample.wait_kind and each.record.thread_id == thread_id]
    ends = (each.end_ns for each in around if each.end_ns <= moment)
    starts = (each.start_ns for each in around if each.start_ns > moment)
    return replace(
        sample,
        start_ns=max(sample.start_ns, max(ends, default=0)),
        end_ns=min(sample.end_ns, min(starts, default=sample.end_ns)),
    )


def _folded(samples: Sequence[Sample], is_unfolded: bool) -> list[_Node]:
    """Merge samples that follow each other, function by function from the outermost one on."""
    tops: list[_Node] = []
    open_nodes: list[_Node] = []
    reached_ns = 0
    for sample in samples:
        shown = list(sample.frames) if is_unfolded else application_frames(sample.frames)
        frames = shown[-MOST_UNFOLDED if is_unfolded else -MOST_DEEP :]
        keys = [(frame.function, frame.file) for frame in frames]
        wait = _waiting(sample)
        if wait:
            keys.append((wait, ""))
        if sample.start_ns > reached_ns:  # a gap
            open_nodes = []
        same = 0
        while same < min(len(keys), len(open_nodes)) and open_nodes[same].key == keys[same]:
            same += 1
        del open_nodes[same:]
        for key in keys[same:]:
            node = _Node(key, sample.start_ns, sample.end_ns)
            (open_nodes[-1].children if open_nodes else tops).append(node)
            open_nodes.append(node)
        for depth, node in enumerate(open_nodes):
            node.end_ns = sample.end_ns
            node.samples += 1
            if depth < len(frames):
                node.lines[frames[depth].line] += 1
        if open_nodes:
            open_nodes[-1].extras[_extras(sample)] += 1
        reached_ns = sample.end_ns
    return tops


def _waiting(sample: Sample) -> str:
    return f"waiting: {sample.wait_kind}" if sample.wait_kind else ""


def _extras(sample: Sample) -> tuple[tuple[str, str], ...]:
    attributes = sample.event.record.attributes
    kept = (names.WAIT_KIND, names.WAIT_ON, names.HOLDER, names.HOLDER_TRACE_ID, names.CALL)
    return tuple((name, str(attributes[name])) for name in kept if name in attributes)


def _largest(tops: list[tuple[_Node, WindowSpan]]) -> list[tuple[_Node, WindowSpan]]:
    """Leave out the shortest of the deepest until there are not too many."""
    every = sorted(
        ((depth, node) for top, _ in tops for depth, node in _with_depth(top, 0)),
        key=lambda each: (each[0], each[1].start_ns - each[1].end_ns),
    )
    kept = {id(node) for _, node in every[:MOST_SPANS]}
    for _, node in every:
        node.children = [child for child in node.children if id(child) in kept]
    return [(node, span) for node, span in tops if id(node) in kept]


def _with_depth(node: _Node, depth: int) -> Iterator[tuple[int, _Node]]:
    yield depth, node
    for child in node.children:
        yield from _with_depth(child, depth + 1)


def _explanations(
    evidence: Evidence, tops: Sequence[tuple[_Node, WindowSpan]]
) -> Iterator[Explanation]:
    waiting = [(node, span, span_text(span.record.span_id)) for node, span in reversed(tops)]
    number = 0
    while waiting:
        node, span, parent_id = waiting.pop()
        number += 1
        seed = f"{evidence.incident.manifest.incident_id} inferred {number}"
        own_id = hashlib.blake2b(seed.encode(), digest_size=8).hexdigest()
        start_ns = max(node.start_ns, span.start_ns)
        yield Explanation(
            kind=sent_attributes.KIND_INFERRED,
            name=node.key[0][:_LONGEST_NAME],
            trace_id=trace_text(span.record.trace_id),
            parent_span_id=parent_id,
            id=own_id,
            start_ns=start_ns,
            end_ns=max(start_ns, min(node.end_ns, span.end_ns)),
            attributes=_attributes(node),
        )
        waiting += [(child, span, own_id) for child in reversed(node.children)]


def _attributes(node: _Node) -> dict[str, Any]:
    found: dict[str, Any] = {names.SOURCE: source_names.STACKS, names.SAMPLES: node.samples}
    if node.lines:
        found[names.FUNCTION], found[names.FILE] = node.key
        found[names.LINE] = node.lines.most_common(1)[0][0]
    for extras, count in node.extras.most_common(1):
        if count * 2 > node.samples:
            found.update(extras)
    return found
