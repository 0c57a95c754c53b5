"""An incident as a trace for Perfetto: each request, thread, source and number has a track."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import takewhile
from typing import Any, Final

from opentelemetry.trace import SpanKind

from otel_flight.cli.commands.export.perfetto_packets import Packets, number_of
from otel_flight.cli.commands.export.span_tracks import Placed, placed
from otel_flight.delivery.profiles.sampled_stacks import SampledStacks, frames_of, sampled_stacks
from otel_flight.incidents.evidence.places import described
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.manifest import Explanation
from otel_flight.incidents.window import WindowEvent, WindowSpan, without_outdated
from otel_flight.names import source_names
from otel_flight.records.ids import span_text, trace_text
from otel_flight.records.records import Frame
from otel_flight.report.model.event_words import is_measurement

_INCIDENT: Final = "Incident"
_REQUESTS: Final = "Requests"
_EVENTS: Final = "Runtime events"
_THREADS: Final = "Threads"
_VALUES: Final = "Values"
"""The tracks of a process stand in this order: its page sorts them by name, and opens with those
closed that have others below them."""
_WHY: Final = f"{_INCIDENT}: why it took so long"
_KINDS: Final = tuple(kind.name.lower() for kind in SpanKind)
_Id = tuple[int, int]


def perfetto(windows: Sequence[Incident]) -> bytes:
    """Return the windows of an incident as a Perfetto trace, with a process for each."""
    packets = Packets()
    layouts = [list(placed(window.window.spans())) for window in windows]
    arrows = _Arrows([each for layout in layouts for each in layout])
    for window, layout in zip(windows, layouts, strict=True):
        _Process(packets, window, arrows).add(layout)
    return packets.serialize()


class _Arrows:
    """The flows: from a span to those that link to it, and to a child on another track.

    Attributes:
        begun: by trace and span id, those that begin in a span.
        ended: those that end in it.
    """

    def __init__(self, spans: Sequence[Placed]) -> None:
        self.begun: defaultdict[_Id, list[int]] = defaultdict(list)
        self.ended: defaultdict[_Id, list[int]] = defaultdict(list)
        tracks = {_id(each.span): (id(each.root), each.lane) for each in spans}
        for item in spans:
            record, own = item.span.record, _id(item.span)
            sources = {(link.trace_id, link.span_id) for link in record.links}
            parent = (record.trace_id, record.parent_span_id)
            if tracks.get(parent) != tracks[own]:
                sources.add(parent)
            for source in sources & tracks.keys() - {own}:
                flow = number_of("flow", *source, *own)
                self.begun[source].append(flow)
                self.ended[own].append(flow)


class _Process:
    """The tracks of one process."""

    def __init__(self, packets: Packets, window: Incident, arrows: _Arrows) -> None:
        manifest = window.manifest
        self._packets = packets
        self._window = window
        self._arrows = arrows
        self._process = packets.process(
            int(manifest.process.get("pid") or 0), manifest.service_name or "unknown_service"
        )

    def add(self, spans: Sequence[Placed]) -> None:
        """Add all that its window holds."""
        request = self._request(spans)
        self._add_incident(request)
        self._add_spans(spans, request)
        self._add_explanations()
        self._add_samples()
        self._add_events()

    def _group(self, name: str) -> int:
        return self._packets.track(name, self._process)

    def _request(self, spans: Sequence[Placed]) -> WindowSpan | None:
        """Return the request that fired; None when none did, or it is not in the window."""
        cause = self._window.manifest.trigger
        fired = (cause.trace, cause.span) if cause is not None else None
        return next((each.root for each in spans if _id(each.span) == fired), None)

    def _add_incident(self, request: WindowSpan | None) -> None:
        """Add what fired, and what was found as slices as long as the request, to be read there."""
        manifest = self._window.manifest
        track = self._group(_INCIDENT)
        moment = manifest.fired_ns
        start_ns, end_ns = (request.start_ns, request.end_ns) if request else (moment, moment)
        for finding in manifest.findings:
            self._packets.begin(track, start_ns, finding.summary, "finding", finding.evidence)
        left = len(manifest.findings)
        for cause in sorted(manifest.causes, key=lambda each: each.time_ns):
            while left and cause.time_ns > end_ns:
                self._packets.end(track, end_ns)
                left -= 1
            found = {"trace_id": cause.trace_id, "span_id": cause.span_id, **cause.attributes}
            self._packets.instant(track, cause.time_ns, cause.title, "trigger", found)
        for _ in range(left):
            self._packets.end(track, end_ns)

    def _add_spans(self, spans: Sequence[Placed], request: WindowSpan | None) -> None:
        requests = self._group(_REQUESTS)
        open_spans: defaultdict[int, list[WindowSpan]] = defaultdict(list)
        for item in spans:
            root = item.root.record
            key = (root.trace_id, root.span_id, item.lane)
            if item.root is request:
                track = self._packets.track(f"{_INCIDENT}: {root.name}", self._process, key)
            else:
                track = self._packets.track(root.name, requests, key)
            self._end(track, open_spans[track], item.depth)
            self._begin(track, item.span)
            open_spans[track].append(item.span)
        for track, left in open_spans.items():
            self._end(track, left, 0)

    def _end(self, track: int, open_spans: list[WindowSpan], depth: int) -> None:
        while len(open_spans) > depth:
            span = open_spans.pop()
            if not span.is_open:
                self._packets.end(track, span.end_ns)

    def _begin(self, track: int, span: WindowSpan) -> None:
        record, own = span.record, _id(span)
        found: dict[str, Any] = {
            "trace_id": trace_text(record.trace_id),
            "span_id": span_text(record.span_id),
            **({"scope": span.scope.name} if span.scope is not None else {}),
            **({"error": record.status_description or True} if span.is_error else {}),
            **({"unfinished": True} if span.is_open else {}),
            **record.attributes,
        }
        kind = _KINDS[record.kind] if 0 <= record.kind < len(_KINDS) else "internal"
        self._packets.begin(
            track,
            span.start_ns,
            record.name,
            kind,
            found,
            flows=self._arrows.begun[own],
            ended_flows=self._arrows.ended[own],
        )
        for event in record.events:
            self._packets.instant(track, event.time_ns, event.name, "event", event.attributes)

    def _add_explanations(self) -> None:
        """Add what is below no other on a track of its own, with what is below it."""
        below: defaultdict[str, list[Explanation]] = defaultdict(list)
        found = self._window.manifest.explanations
        known = {each.id for each in found if each.id}
        for each in found:
            below[each.parent_span_id if each.parent_span_id in known else ""].append(each)
        for number, top in enumerate(below[""]):
            track = self._packets.track(_WHY, self._process, number)
            waiting: list[Explanation | int] = [top]
            while waiting:
                item = waiting.pop()
                if isinstance(item, int):
                    self._packets.end(track, item)
                    continue
                self._packets.begin(track, item.start_ns, item.name, item.kind, item.attributes)
                waiting += [item.end_ns, *reversed(below[item.id] if item.id else ())]

    def _add_samples(self) -> None:
        """Add what each request was seen doing: a slice for each frame, below that of its caller.

        Stacks that belong to single events would be shorter, but older versions of the page do not
        know them and complain.
        """
        for number, stacks in enumerate(sampled_stacks(self._window)):
            samples = self._thread_track(stacks.thread_id, source_names.STACKS)
            self._add_stacks(self._packets.track(stacks.name, samples, number), stacks)

    def _add_stacks(self, track: int, stacks: SampledStacks) -> None:
        open_frames: Sequence[Frame] = ()
        reached_ns = 0
        for sample in stacks.samples:
            frames = tuple(frames_of(sample))
            pairs = zip(open_frames, frames, strict=False)
            same = takewhile(lambda pair: pair[0] == pair[1], pairs)
            kept = sum(1 for _ in same) if sample.start_ns == reached_ns else 0
            for _ in open_frames[kept:]:
                self._packets.end(track, reached_ns)
            for frame in frames[kept:]:
                found = {"file": frame.file, "line": frame.line} if frame.file else {}
                if frame is frames[-1]:
                    found |= _attributes(sample.event)
                self._packets.begin(
                    track, sample.start_ns, frame.function, source_names.STACKS, found
                )
            open_frames, reached_ns = frames, sample.end_ns
        for _ in open_frames:
            self._packets.end(track, reached_ns)

    def _add_events(self) -> None:
        events = without_outdated(self._window.window.events())
        reached_ns: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
        for event in sorted(events, key=lambda each: each.start_ns):
            record = event.record
            if record.source == source_names.STACKS and event.stack is not None:
                continue
            if event.duration_ns > 0:
                lane = _free_lane(reached_ns[record.thread_id, record.source], event)
                track = self._thread_track(record.thread_id, record.source, lane)
                found = _attributes(event)
                self._packets.begin(track, event.start_ns, event.name, record.source, found)
                self._packets.end(track, event.end_ns)
            elif is_measurement(event):
                self._count(event)
            else:
                self._packets.instant(
                    self._thread_track(record.thread_id, record.source),
                    event.start_ns,
                    event.name,
                    record.source,
                    {**_attributes(event), **_stack_of(event)},
                )

    def _count(self, event: WindowEvent) -> None:
        numbers = self._group(_VALUES)
        for name, value in event.record.attributes.items():
            track = self._packets.counter_track(name, numbers)
            self._packets.count(track, event.start_ns, float(value))

    def _thread_track(self, thread_id: int, source: str, lane: int = 0) -> int:
        """Return a track of a source's events on a thread; of no thread, on that of the process."""
        if not thread_id:
            return self._packets.track(source, self._group(_EVENTS), lane)
        thread = self._packets.track(f"thread {thread_id}", self._group(_THREADS))
        return self._packets.track(source, thread, lane)


def _free_lane(reached_ns: list[int], event: WindowEvent) -> int:
    """Return the first lane whose last event is over, and note this one there."""
    for lane, end_ns in enumerate(reached_ns):
        if end_ns <= event.start_ns:
            reached_ns[lane] = event.end_ns
            return lane
    reached_ns.append(event.end_ns)
    return len(reached_ns) - 1


def _attributes(event: WindowEvent) -> dict[str, Any]:
    record = event.record
    ids = {"trace_id": trace_text(record.trace_id), "span_id": span_text(record.span_id)}
    return {**{key: text for key, text in ids.items() if text}, **record.attributes}


def _stack_of(event: WindowEvent) -> dict[str, Any]:
    lines = [described(each) if each.file else each.function for each in event.frames]
    return {"stack": lines} if lines else {}


def _id(span: WindowSpan) -> _Id:
    return span.record.trace_id, span.record.span_id
