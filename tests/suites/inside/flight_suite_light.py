"""Makes every span of the SDK's tracers a light one, and hands it to the pipeline as the SDK does.

So the tests of the SDK and of the instrumentations say whether a light span can be told from one of
theirs. Only the switch is another one here: it says yes wherever there would be a span of the SDK.
"""

from __future__ import annotations

import functools
import os
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import Tracer

from otel_flight.recording.light.compiled_scope import USE_SPAN
from otel_flight.recording.light.compiled_span import COMPILED
from otel_flight.recording.light.light_tracer import LightTracer
from otel_flight.recording.light.shape import SpanShape
from otel_flight.recording.light.switch import LightSwitch
from otel_flight.recording.sampler import FlightSampler

counted = 0
"""How many light spans there were."""


class _Pipeline:
    """Stands for the recorder: calls the processors of the tracer that a span is of."""

    is_recording = True

    def __init__(self) -> None:
        self.context: Any = None

    def started(self, span: Any) -> None:
        global counted
        counted += 1
        span._span_processor.on_start(span, parent_context=self.context)

    def ended(self, span: Any) -> None:
        span._span_processor._on_ending(span)
        span._span_processor.on_end(span._readable_span())

    def silence(self, span_id: int) -> None:
        pass


class _Always(LightSwitch):
    """Says of every span that it is light."""

    def __init__(self, pipeline: Any, tracer: Tracer) -> None:
        super().__init__(pipeline, FlightSampler(tracer.sampler))
        self._pipeline = pipeline
        self.sampler = object()  # so that each span asks
        self.follows_parent = False
        self.root_bound = None  # so that the sampler is asked, who may be another one by then

    def refresh(self, tracer: Any) -> bool:
        config = getattr(tracer, "_tracer_config", None)
        counter = getattr(tracer, "_tracer_metrics", None)
        if (config is not None and not config.is_enabled) or (
            counter is not None and type(counter).__name__ != "NoOpTracerMetrics"
        ):
            return False
        self.shape = SpanShape(tracer, self._pipeline.started, self._pipeline.ended)
        return True

    def decide(self, tracer: Any, context: Any, parent: Any, *about: Any) -> tuple[Any, Any]:
        self._pipeline.context = context
        asked: list[Any] = []

        def should_sample(*arguments: Any, **named: Any) -> Any:
            asked.append(tracer.sampler.should_sample(*arguments, **named))
            return asked[-1]

        self._forcing.should_sample = should_sample  # type: ignore[method-assign]
        own, attributes = super().decide(tracer, context, parent, *about)
        if not asked[-1].decision.is_recording():
            raise _DroppedError(own)
        return own, attributes


class _DroppedError(Exception):
    """The sampler dropped the span of this context."""


class _Tracer(LightTracer):
    """Asks its sampler once, also where it drops."""

    if COMPILED is not None and os.environ.get("OTEL_FLIGHT_LIGHT_SPANS") != "python":
        _begin_span = COMPILED.tracer._begin_span
        start_as_current_span = COMPILED.tracer.start_as_current_span

    def start_span(self, *arguments: Any, **named: Any) -> Any:
        try:
            return super().start_span(*arguments, **named)
        except _DroppedError as dropped:
            return trace.NonRecordingSpan(*dropped.args)


def begin() -> None:
    """Let all tracers that are made from now on be light ones."""
    make = Tracer.__init__

    @functools.wraps(make)
    def __init__(self: Any, *arguments: Any, **named: Any) -> None:
        make(self, *arguments, **named)
        if type(self) is Tracer:
            adopted: Any = self
            adopted._switch = _Always(_Pipeline(), self)
            adopted.__class__ = _Tracer

    Tracer.__init__ = __init__  # type: ignore[method-assign]
    trace.use_span = USE_SPAN
