"""Which spans of an incident go out, in which order, and in which portions.

What is in which chunk depends on the file alone: what a setting leaves out is left out of its
chunk, so that "the first n chunks are delivered" means the same after a restart with others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan

from otel_flight.assembly import SOURCES
from otel_flight.delivery.chunks import OFFICIAL_SPANS, SpanChunk
from otel_flight.delivery.incident_trace.explanations import explanation_spans
from otel_flight.delivery.incident_trace.large_traces import is_large, most_telling_first
from otel_flight.delivery.incident_trace.request_lane import request_lane
from otel_flight.delivery.incident_trace.runtime_lanes import events_by_source, runtime_lanes
from otel_flight.delivery.incident_trace.span_index import SpanIndex
from otel_flight.delivery.incident_trace.trace import IncidentTrace, LaneBuilder, LaneMaterial
from otel_flight.delivery.otlp.cause_notes import CauseNotes
from otel_flight.delivery.otlp.origins import SpanOrigins
from otel_flight.delivery.otlp.span_logs import SpanLogs
from otel_flight.delivery.otlp.spans import RecordedSpan, SpanBuilder
from otel_flight.delivery.pacing import Pacer
from otel_flight.delivery.wire.requests import OfficialEncoder, RequestEncoding
from otel_flight.ground.guard import Guard
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.window import WindowSpan
from otel_flight.ring.layout import LANE_SPANS

LANES: Final[tuple[LaneBuilder, ...]] = (*runtime_lanes(SOURCES), request_lane)
"""The lanes of the incident trace stand in the order they are shown: the long one last."""

MOST_SPANS: Final = 512
"""A chunk has at most this many spans, as the SDK's batches have: each request costs the work of
some eighty spans by itself."""
MOST_BYTES: Final = 3 * 1024 * 1024
"""A chunk has at most this many bytes as OTLP: receivers take 4 MiB unless told otherwise."""


class SpanChunks:
    """The chunks of one incident: the trigger's trace, the incident's trace, the rest newest first.

    What explains the trigger's trace goes out with the incident's, which a window of another
    process has not: both are ours alone. Of a large trigger's trace the most telling spans go
    before that and the others after it. Traces are kept together as far as they fit. Iterating
    again yields the same chunks.

    Args:
        incident: the incident; its window is indexed here, which takes 2 µs a span.
        pacer: yields the GIL in between, here and whenever the spans of a chunk are iterated.
        guard: notes spans that cannot be built; the others go out.
        is_standalone: whether the result stands alone, as a file does: nothing is left out, whether
            a backend has it already or not.
        skips_sampled: leave out spans that the application's own pipeline exports.
        most_spans: in one chunk.
    """

    def __init__(
        self,
        incident: Incident,
        pacer: Pacer,
        guard: Guard,
        *,
        is_standalone: bool = False,
        skips_sampled: bool = False,
        most_spans: int = MOST_SPANS,
    ) -> None:
        manifest = incident.manifest
        self._manifest = manifest
        self._pacer = pacer
        self._guard = guard
        self._skips_sampled = skips_sampled and not is_standalone
        self._most_spans = most_spans
        self._logs = SpanLogs(incident.window.events(), pacer.yield_in_time)
        self._notes = CauseNotes(manifest)
        growth = Counter(self._logs.most_bytes())
        growth.update(self._notes.most_bytes())
        self._index = SpanIndex(incident.window, pacer.yield_in_time, growth)
        origins = SpanOrigins(manifest)
        self._builder = SpanBuilder(manifest, origins, is_standalone=is_standalone)
        self._encoding = RequestEncoding(self._builder, origins, guard)
        self._resource = origins.own_resource
        self._window = incident.window
        self._trace = IncidentTrace(manifest, origins.own_resource)
        self._first_record = 0 if is_standalone else manifest.exported_to.get(str(LANE_SPANS), 0)
        self._sent_open = frozenset[int]() if is_standalone else self._open_sent_before()

    def __iter__(self) -> Iterator[SpanChunk]:
        first = self._trigger_trace()
        of_first = map(self._recorded, self._portions([] if first is None else [first]))
        is_large_first = first is not None and is_large(self._index, first)
        yield from islice(of_first, 1 if is_large_first else None)
        own = explanation_spans(self._manifest, self._resource) if first is not None else []
        if not self._manifest.part_of:
            own += self._incident_trace()
        portion = min(self._most_spans, OFFICIAL_SPANS)
        for start in range(0, len(own), portion):
            part = own[start : start + portion]
            yield SpanChunk(_as_it_is, part, self._pacer)
        yield from of_first
        others = (trace for trace in self._index.traces() if trace != first)
        yield from map(self._recorded, self._portions(others))

    def _incident_trace(self) -> list[RecordedSpan]:
        events = events_by_source(self._window, self._pacer.yield_in_time)
        elsewhere = self._logs.elsewhere(events, self._index, self._goes_out)
        material = LaneMaterial(self._manifest, self._index, *elsewhere)
        return self._trace.build(material, LANES)

    def _trigger_trace(self) -> int | None:
        trigger = self._manifest.trigger
        return self._index.trace_number(trigger.trace) if trigger else None

    def _portions(self, traces: Iterator[int] | Sequence[int]) -> Iterator[list[int]]:
        """Yield the spans of the traces in portions that fit into a chunk."""
        chunk: list[int] = []
        chunk_bytes = 0
        for trace in traces:
            spans = self._in_order(trace)
            if chunk and len(chunk) + len(spans) > self._most_spans:
                yield chunk
                chunk, chunk_bytes = [], 0
            for span in spans:
                span_bytes = self._index.most_bytes(span)
                if chunk and (
                    len(chunk) >= self._most_spans or chunk_bytes + span_bytes > MOST_BYTES
                ):
                    yield chunk
                    chunk, chunk_bytes = [], 0
                chunk.append(span)
                chunk_bytes += span_bytes
            self._pacer.yield_in_time()
        if chunk:
            yield chunk

    def _in_order(self, trace: int) -> list[int]:
        """Return what is new of a trace: oldest first, or the most telling where it is large."""
        spans = [span for span in self._index.trace_spans(trace) if self._is_new(span)]
        spans.reverse()
        if not is_large(self._index, trace):
            return spans
        fired = {cause.span for cause in self._manifest.causes}
        return most_telling_first(self._index, spans, fired, self._pacer.yield_in_time)

    def _recorded(self, chunk: list[int]) -> SpanChunk:
        if self._skips_sampled:
            chunk = [span for span in chunk if not self._is_skipped(span)]
        return SpanChunk(self._built, chunk, self._pacer, self._encoded)

    def _encoded(self, chunk: Iterable[int], official: OfficialEncoder) -> bytes:
        found = (span for span in map(self._span, chunk) if span is not None)
        return self._encoding.encode(found, official)

    def _built(self, ordinal: int) -> ReadableSpan | None:
        try:
            found = self._span(ordinal)
            return None if found is None else self._builder.build(found)
        except Exception as error:  # noqa: BLE001  (one odd record must not hold up the others)
            self._guard.note("build span", error)
            return None

    def _span(self, ordinal: int) -> WindowSpan | None:
        found = self._index.span(ordinal)
        if found is not None:
            self._logs.add_to(found.record)
            self._notes.add_to(found.record)
        return found

    def _goes_out(self, ordinal: int) -> bool:
        return self._is_new(ordinal) and not self._is_skipped(ordinal)

    def _is_skipped(self, ordinal: int) -> bool:
        return self._skips_sampled and self._index.is_sampled(ordinal)

    def _is_new(self, ordinal: int) -> bool:
        if self._index.is_open(ordinal):
            return ordinal not in self._sent_open
        return self._index.number(ordinal) >= self._first_record

    def _open_sent_before(self) -> frozenset[int]:
        """Return the open spans that an earlier incident sent; they go out again when they end."""
        sent = self._manifest.unfinished_before_ids
        if not sent:
            return frozenset()
        return frozenset(
            ordinal
            for ordinal in self._index.open_spans()
            if (found := self._index.span(ordinal)) is not None and found.record.span_id in sent
        )


def _as_it_is(span: ReadableSpan) -> ReadableSpan:
    return span
