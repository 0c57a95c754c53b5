"""Make the same spans as the SDK's and as light ones, and say in what they differ.

Done once in a process, before it makes light spans: an SDK that keeps something elsewhere gets its
own spans, and one warning says why.
"""

from __future__ import annotations

import functools
import inspect
import logging
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import (
    ReadableSpan,
    SpanLimits,
    SpanProcessor,
    SynchronousMultiSpanProcessor,
    Tracer,
)
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased, Sampler
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, TraceFlags

from otel_flight.interpreter.sdk.internals import HAS_KNOWN_FIELDS
from otel_flight.recording.encoding.fast_encoder import plain_writer, span_encoder
from otel_flight.recording.encoding.scope_table import ScopeTable
from otel_flight.recording.light.differences import differences
from otel_flight.recording.light.lane_recorder import LaneRecorder
from otel_flight.recording.light.light_span import LightSpan
from otel_flight.recording.light.light_tracer import LightTracer, adopt
from otel_flight.recording.light.switch import LightSwitch
from otel_flight.recording.sampler import FlightSampler
from otel_flight.ring.layout import MAX_RECORD_BYTES

_SPREAD: Final = 0x9E3779B97F4A7C15
"""A factor that spreads numbers in a row over all of 64 bits, by which samplers decide."""
_METRICS: Final[Any] = sys.modules.get("opentelemetry.sdk.trace._tracer_metrics")
"""What counts the SDK's own spans, where the SDK has that."""
_logger = logging.getLogger("otel_flight")


class CountedIds(IdGenerator):
    """Gives the same ids to whoever asks for the same ones in the same order."""

    def __init__(self) -> None:
        self._count = 0

    def generate_span_id(self) -> int:
        """Return the next one."""
        self._count += 1
        return 0xF600000000000000 + self._count

    def generate_trace_id(self) -> int:
        """Return the next one."""
        number = self.generate_span_id()
        return number << 64 | number * _SPREAD & (1 << 64) - 1

    def is_trace_id_random(self) -> bool:
        """Return what the SDK's own generator does."""
        return True


class Recorder(SpanProcessor):
    """Collects what would be recorded: light spans as they are given, others as the SDK ends them.

    Attributes:
        ended: the spans, in the order in which they ended.
    """

    is_recording = True
    tracer_type: Any = LightTracer

    def __init__(self) -> None:
        self.pipeline: Any = None
        self.ended: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        """Keep it."""
        self.ended.append(span)

    on_light_end = on_end

    @property
    def count(self) -> int:
        """How many spans ended."""
        return len(self.ended)

    def silence(self, span_id: int) -> None:
        """Take no notice: nothing fires here."""


class Twins:
    """Two tracers that make the same spans: one the SDK's, one light ones.

    Args:
        sampler: of both.
        limits: of both; None: the SDK's own.
        made: the kind of the second one.
        is_exported: whether a processor of the SDK's exports them besides.

    Attributes:
        recorders: what their spans go to.
    """

    def __init__(
        self,
        sampler: Sampler,
        limits: SpanLimits | None = None,
        made: type[LightTracer] = LightTracer,
        *,
        is_exported: bool = False,
    ) -> None:
        self.recorders = Recorder(), Recorder() if made is LightTracer else LaneRecorder()
        self._exporters = (_Kept(), _Kept()) if is_exported else (None, None)
        made_with = sampler, limits
        self.tracers = tuple(
            map(self._tracer, self.recorders, self._exporters, (made_with, made_with))
        )
        wrapper = FlightSampler(sampler)
        self.tracers[0].sampler = self.tracers[1].sampler = wrapper
        recorder: Any = self.recorders[1]
        recorder.tracer_type = made
        adopt(self.tracers[1], LightSwitch(recorder, wrapper))

    def export_differences(self) -> Iterator[str]:
        """Yield what differs between the spans that each gave to its exporter."""
        kept: list[Any] = [each.spans for each in self._exporters if each is not None]
        if [len(spans) for spans in kept] != [len(kept[0])] * 2:
            yield "exported spans"
        for one, other in zip(*kept, strict=False):
            if type(one) is not type(other) or vars(one).keys() != vars(other).keys():
                yield "kind of exported spans"
            yield from differences(one, other)

    def have_recorded(self, spans: Sequence[Any]) -> bool:
        """Return whether the light spans that ended, in this order, were recorded as they are."""
        recorder = self.recorders[1]
        if isinstance(recorder, LaneRecorder):
            return recorder.has_recorded(spans)
        return recorder.ended == spans

    @staticmethod
    def _tracer(
        recorder: Any, exporter: _Kept | None, given: tuple[Sampler, SpanLimits | None]
    ) -> Any:
        sampler, limits = given
        pipeline: Any = SynchronousMultiSpanProcessor()  # type: ignore[no-untyped-call]
        recorder.pipeline = pipeline
        if exporter is not None:
            pipeline.add_span_processor(_uncounted(SimpleSpanProcessor, exporter))
        pipeline.add_span_processor(recorder)
        about = InstrumentationScope("probe", "1.0")
        limits = SpanLimits() if limits is None else limits
        of_spans = sampler, _RESOURCE, pipeline, CountedIds()
        # Not by a provider, whose `get_tracer` changes the program's filters of warnings. The old
        # kind of `about` warns, and is only handed on.
        tracer = _uncounted(Tracer, *of_spans, about, limits, about)
        if _METRICS is not None:
            tracer._tracer_metrics = _METRICS.NoOpTracerMetrics()
        return tracer


def _uncounted(kind: Any, *given: Any) -> Any:
    """Make an object of the SDK's that does not count its spans in the program's metrics."""
    is_counted = "meter_provider" in inspect.signature(kind).parameters
    return kind(*given, **({"meter_provider": NoOpMeterProvider()} if is_counted else {}))


class _Kept(SpanExporter):
    """Keeps what it is given to export."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans += spans
        return SpanExportResult.SUCCESS


_RESOURCE: Final = Resource({"service.name": "probe"})


class _Lane:
    """Keeps the last record."""

    data: bytes = b""

    def append(self, data: bytes, _: int) -> bool:
        self.data = data
        return True


def _differences_of_plain_record(span: Any) -> Iterator[str]:
    """Yield it if a span that has nothing but plain attributes would be another record by parts."""
    scopes, lane = ScopeTable(), _Lane()
    encoder = span_encoder(scopes, MAX_RECORD_BYTES)
    taken: Any = lane
    own = span._own
    written = own is not None and plain_writer(encoder, taken)(
        span._context,
        span._parent,
        span._resource,
        span._instrumentation_scope,
        span._name,
        span._kind,
        span._start_time,
        span._end_time,
        own,
    )
    if written and lane.data != encoder.encode_end(span)[0]:
        yield "record by parts"


@functools.cache
def are_light_spans_right(made: type[LightTracer] = LightTracer) -> bool:
    """Return whether light spans say what this SDK's say. If not, one warning tells of it.

    Args:
        made: the kind of tracer that makes them.
    """
    if not HAS_KNOWN_FIELDS:
        return False
    found = _found_differences(made)
    if found:
        where, instead = ("", "off") if made is LightTracer else (" in C", "python")
        _logger.warning(
            "otel-flight makes no light spans%s: those of this SDK differ in %s. Spans cost more; "
            "OTEL_FLIGHT_LIGHT_SPANS=%s says the same without this warning.",
            where,
            ", ".join(found),
            instead,
        )
    return not found


def _found_differences(made: type[LightTracer]) -> list[str]:
    try:
        twins = Twins(ParentBased(ALWAYS_ON), None, made, is_exported=True)
        pairs = list(zip(*map(_live, twins.tracers), strict=True))
        found: list[str] = []
        for one, other in pairs:
            if not isinstance(other, LightSpan):
                found.append("nothing was light")
            found += _differences_of_plain_record(other)
            found += differences(one, other)
        found += twins.export_differences()
        if not twins.have_recorded([other for _, other in pairs]):
            found.append("records")
    except Exception as error:  # noqa: BLE001  # any surprise means: an SDK we do not know
        return [f"{type(error).__name__}: {error}"]
    return list(dict.fromkeys(found))


def _live(tracer: Any) -> list[Any]:
    """Let a tracer make spans that have everything a span can have; all times are given.

    Returns:
        The spans, in the order in which they ended.
    """
    remote = SpanContext(0xC3 << 64 | 0xD4, 0xE5, True, TraceFlags(1))
    around = trace.set_span_in_context(NonRecordingSpan(remote))
    link = Link(remote, {"of": "link"})
    plain = {"text": "a", "number": 1, "share": 0.5, "flag": True}
    root = tracer.start_span("root", around, SpanKind.SERVER, plain, start_time=10)
    below = trace.set_span_in_context(root)
    child = tracer.start_span("child", below, attributes=plain, start_time=11)
    child.end(12)
    odd = {"list": ["a", "b"]}
    other = tracer.start_span("other", below, SpanKind.CLIENT, odd, [link], start_time=12)
    other.set_attribute("later", 2)
    other.set_attributes({"text": "b", "mixed": [1, 2]})
    other.add_event("event", {"of": "event"}, 13)
    other.set_status(trace.StatusCode.ERROR, "why")
    other.update_name("renamed")
    other.end(14)
    root.set_attribute("text", "changed")
    root.end(15)
    alone = tracer.start_span("alone", start_time=16)
    alone.end(17)
    plainer = tracer.start_span("plainer", below, SpanKind.PRODUCER, start_time=18)
    plainer.set_attribute("later", 2)
    plainer.set_attributes(plain)
    plainer.end(19)
    return [child, other, root, alone, plainer]
