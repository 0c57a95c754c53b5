"""The light span in C, where it was built and knows this SDK; see `_light_span.c`.

A span of this kind is a `LightSpan` by everything that can be asked of it. What is ordinary about
it is done in C; what is not, by the code of `LightSpan` and `LightTracer`.
"""

from __future__ import annotations

import functools
import random
from types import GetSetDescriptorType
from typing import Any, Final, NamedTuple

from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.sdk import trace as sdk_trace
from opentelemetry.sdk.trace import id_generator
from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, SpanContext, SpanKind
from opentelemetry.trace.propagation import _SPAN_KEY
from opentelemetry.trace.span import DEFAULT_TRACE_STATE

from otel_flight.interpreter.concurrency.tasks import current_task_reference, running_loop
from otel_flight.interpreter.sdk.internals import CONTEXT_VARIABLE, unset_status
from otel_flight.interpreter.sdk.own_functions import (
    GET_CURRENT_SPAN,
    SPAN_METHOD_NAMES,
    SPAN_METHODS,
    START_SPAN,
)
from otel_flight.recording.encoding.compiled import IS_AVAILABLE, SPAN_WRITER
from otel_flight.recording.light.compiled_scope import HAS_SCOPES, START_AS_CURRENT_SPAN
from otel_flight.recording.light.exported import export
from otel_flight.recording.light.light_span import (
    LightSpan,
    close_attributes,
    give_odd,
    warn_of_end,
)
from otel_flight.recording.light.light_tracer import LightTracer
from otel_flight.recording.light.shape import SpanShape
from otel_flight.recording.light.switch import FLAGS, NO_CONFIG, LightSwitch
from otel_flight.recording.span_processor import RecordingSpanProcessor

try:
    from otel_flight.recording.light._light_span import (  # type: ignore[import-not-found]
        LightSpanBase,
        begin_span,
        configure,
        start_span,
    )
except ImportError:
    LightSpanBase = None


_SHARED: Final = ("_attributes", "_events", "_links", "_lock")
"""A copy of a span has the same objects here."""


class CompiledTypes(NamedTuple):
    """The kinds of spans and of tracers whose life is in C."""

    span: type[LightSpan]
    tracer: type[LightTracer]


def _compiled_types() -> CompiledTypes | None:
    """Return them; None where they cannot be used."""
    if LightSpanBase is None or not (IS_AVAILABLE and HAS_SCOPES):
        return None

    class CompiledSpan(LightSpanBase, LightSpan):  # type: ignore[misc]
        """A light span whose life is in C."""

        def __copy__(self) -> LightSpan:
            return _copy_of(self)

    class CompiledTracer(LightTracer):
        """A tracer that makes such spans."""

        _begin_span = staticmethod(begin_span)
        start_as_current_span = START_AS_CURRENT_SPAN

    for kind in (CompiledSpan, CompiledTracer):
        kind.__qualname__ = kind.__name__  # what pickles one finds its class, as it finds the SDK's
    made: Any = CompiledTracer
    made.start_span = functools.update_wrapper(start_span, sdk_trace.Tracer.start_span)
    try:
        _configure(CompiledSpan)
    except TypeError:
        return None
    return CompiledTypes(CompiledSpan, CompiledTracer)


def _copy_of(span: LightSpan) -> LightSpan:
    """Return a span in Python that shares with one in C what spans of the SDK share when copied."""
    copied = object.__new__(LightSpan)
    for name in _SHARED:
        getattr(span, name)  # it is made, if it was not there
    vars(copied).update(vars(span))
    for name, field in vars(LightSpanBase).items():
        if isinstance(field, GetSetDescriptorType) and name.startswith("_"):
            setattr(copied, name, getattr(span, name))
    if span.is_recording():
        vars(copied)["_is_open"] = True
    return copied


def _note_failure(recorder: RecordingSpanProcessor, place: str, error: Exception) -> None:
    """Count what failed inside the recorder."""
    recorder._guard.note(place, error)


def _configure(made: type[LightSpan]) -> None:
    sdk_tracer: Any = sdk_trace.Tracer
    generator: Any = id_generator.RandomIdGenerator
    configure(
        context_variable=CONTEXT_VARIABLE,
        span_key=_SPAN_KEY,
        context_type=context_api.Context,
        span_context_type=SpanContext,
        invalid_span=INVALID_SPAN,
        non_recording_type=NonRecordingSpan,
        internal_kind=SpanKind.INTERNAL,
        unset_status=unset_status(),
        sdk_namespace=vars(sdk_trace),
        default_state=DEFAULT_TRACE_STATE,
        flags=FLAGS,
        generator_type=generator,
        generate_span_id=generator.generate_span_id,
        generate_trace_id=generator.generate_trace_id,
        is_trace_id_random=vars(generator).get("is_trace_id_random"),
        ids_namespace=vars(id_generator),
        random_module=random,
        random_namespace=vars(random),
        no_config=NO_CONFIG,
        span_type=made,
        python_span=LightSpan,
        recorder_type=RecordingSpanProcessor,
        writer_type=SPAN_WRITER,
        switch_type=LightSwitch,
        shape_type=SpanShape,
        sdk_tracer_type=sdk_tracer,
        sdk_span_type=sdk_trace._Span,
        sdk_start_span=sdk_tracer.start_span,
        own_start_span=START_SPAN,
        trace_namespace=vars(trace),
        own_get_current_span=GET_CURRENT_SPAN,
        method_names=SPAN_METHOD_NAMES,
        own_methods=SPAN_METHODS,
        python_start_span=LightTracer.start_span,
        give_odd=give_odd,
        close_attributes=close_attributes,
        export=export,
        warn_of_end=warn_of_end,
        note_failure=_note_failure,
        running_loop=running_loop,
        task_reference=current_task_reference,
    )


COMPILED: Final = _compiled_types()
"""It is the kinds of spans and tracers that are in C; None where they cannot be used."""
if COMPILED is not None:
    CompiledSpan, CompiledTracer = COMPILED
