"""Which tracers make light spans: those whose spans nobody but us looks at before they end.

What this was decided by is compared by identity for each span; it is decided anew when anything of
it has changed.
"""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Iterable, Sequence
from types import MappingProxyType, SimpleNamespace
from typing import Any, Final

from opentelemetry import context as context_api
from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext
from opentelemetry.sdk import trace as sdk_trace
from opentelemetry.sdk.trace import sampling
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.trace import SpanContext, TraceFlags

from otel_flight.interpreter.sdk.own_functions import has_own_methods
from otel_flight.recording.light.shape import SpanShape
from otel_flight.recording.sampler import FlightSampler
from otel_flight.recording.span_processor import RecordingSpanProcessor

NO_CONFIG: Final = SimpleNamespace(is_enabled=True)
"""It stands for the configuration of a tracer whose SDK has none."""
RANDOM: Final[int] = int(getattr(TraceFlags, "RANDOM_TRACE_ID", 0))
"""The flag of trace ids that are random, which children inherit; 0 for an SDK without it."""
INHERITED: Final[int] = int(TraceFlags.SAMPLED) | RANDOM
"""The flags of a child whose sampler decides as was decided for its parent."""
FLAGS: Final = tuple(TraceFlags(value) for value in range(INHERITED + 1))

_LOW_64: Final = (1 << 64) - 1
_ALWAYS: Final = 1 << 64
_ON, _OFF = sampling.Decision.RECORD_AND_SAMPLE, sampling.Decision.DROP
_PARENT_BASED: Final = frozenset(
    kind
    for kind in vars(sampling).values()
    if isinstance(kind, type) and issubclass(kind, sampling.ParentBased)
)
_BEFORE_END: Final = ("on_start", "_on_ending")
_METHODS: Final = (*_BEFORE_END, "on_end")


def _methods_of(kind: type, names: Iterable[str]) -> tuple[object, ...]:
    return tuple(getattr(kind, name, None) for name in names)


def _does_nothing(function: Any) -> bool:
    """Return whether a function does nothing, or is none: there is no name in its code."""
    code = getattr(function, "__code__", None)
    return function is None or (code is not None and not code.co_names)


_EXPORTING: Final = {
    kind: _methods_of(kind, _METHODS)
    for kind in (BatchSpanProcessor, SimpleSpanProcessor)
    if all(map(_does_nothing, _methods_of(kind, _BEFORE_END)))
}
"""The SDK's span processors that look at no span before it ends, and at no unsampled one then: they
are given a sampled one as the SDK gives it."""


class LightSwitch:
    """What was decided for one tracer, and by what.

    Args:
        recorder: our span processor, which is in the tracer's pipeline.
        sampler: ours, which has the provider's own in it.

    Attributes:
        is_light: whether its spans are light.
        shape: of the light spans.
        has_own_methods: whether the SDK's spans have the methods that they came with.
        follows_parent: whether the sampler decides for a child as was decided for its parent.
        root_bound: a trace without a parent is sampled if the low half of its id is below this, and
            one with a remote parent if that is; None: the sampler has to be asked.
    """

    __slots__ = (
        "_forcing",
        "config",
        "follows_parent",
        "generator",
        "has_own_methods",
        "is_enabled",
        "is_light",
        "is_recording",
        "of_config",
        "of_generator",
        "of_pipeline",
        "of_tracer",
        "pipeline",
        "processors",
        "recorder",
        "resource",
        "root_bound",
        "sampler",
        "shape",
    )

    def __init__(self, recorder: RecordingSpanProcessor, sampler: FlightSampler) -> None:
        self.recorder = recorder
        self.is_light = False
        self.is_recording: bool | None = None
        self.has_own_methods = True
        self._forcing = sampler
        self.follows_parent = _follows_parent(sampler.root, "local")
        is_known = self.follows_parent and _follows_parent(sampler.root, "remote")
        root: Any = sampler.root
        self.root_bound = _bound_of(root._root) if is_known else None

    def refresh(self, tracer: Any) -> bool:
        """Decide anew for a tracer; return whether its spans are light."""
        self.is_light = False  # for other threads, until it is decided
        self.is_recording = self.recorder.is_recording
        self.has_own_methods = has_own_methods()
        self.sampler: Any = tracer.sampler
        self.resource: Any = tracer.resource
        self.pipeline: Any = tracer.span_processor
        self.processors: Any = getattr(self.pipeline, "_span_processors", None)
        self.config: Any = getattr(tracer, "_tracer_config", NO_CONFIG)
        self.is_enabled: Any = self.config.is_enabled
        self.generator: Any = tracer.id_generator
        # What they have of their own, which is all that is compared.
        self.of_tracer = vars(tracer)
        self.of_pipeline: Any = getattr(self.pipeline, "__dict__", None)
        self.of_config = getattr(self.config, "__dict__", None)
        self.of_generator = getattr(self.generator, "__dict__", None)
        others = [each for each in self.processors or () if each is not self.recorder]
        is_light = self._may_be_light(tracer, others)
        if is_light:
            self.shape = SpanShape(tracer, self.recorder.on_start, self.recorder.on_light_end)
            self.shape.exporting = tuple(others)
            self.shape.of_pipeline, self.shape.processors = self.of_pipeline, self.processors
            if isinstance(self.recorder, RecordingSpanProcessor):
                self.shape.recorder = self.recorder
        self.is_light = is_light
        kind = self.recorder.tracer_type
        if kind is not None and self.is_recording and "_switch" in self.of_tracer:
            tracer.__class__ = kind
        return is_light

    def release(self, tracer: Any) -> None:
        """Give a tracer the sampler back that it had."""
        if tracer.sampler is self._forcing:
            tracer.sampler = self._forcing.root

    def decide(self, tracer: Any, context: Any, parent: Any, *about: Any) -> tuple[Any, Any]:
        """Ask the sampler about a span, as the SDK does.

        Args:
            tracer: whose span it is.
            context: the span's parent is in it.
            parent: the context of the parent, which may be invalid.
            *about: what the sampler is told of the span: name, kind, attributes and links.

        Returns:
            The span's own context, and its attributes.
        """
        ids = tracer.id_generator
        trace_id = parent[0] if parent[5] else ids.generate_trace_id()
        kept: Any = about[2]
        if self.root_bound is not None:
            is_sampled = parent[3] & 1 if parent[5] else trace_id & _LOW_64 < self.root_bound
            state = parent[4] if parent[5] else None
        else:
            result = self._forcing.should_sample(context, trace_id, *about)
            is_sampled = result.decision is _ON
            state = result.trace_state
            kept = result.attributes
            if type(kept) is MappingProxyType:
                kept = dict(kept)
        flags = FLAGS[(1 if is_sampled else 0) | self._random_flag(ids, parent)]
        own = SpanContext(trace_id, ids.generate_span_id(), False, flags, state)
        self.note_forced(own)
        return own, kept

    @staticmethod
    def _random_flag(ids: Any, parent: Any) -> int:
        if parent[5] or not RANDOM:
            return int(parent[3] & RANDOM)
        return RANDOM if ids.is_trace_id_random() else 0

    def note_forced(self, context: Any) -> None:
        """Let no trigger see a span that its sampler drops by rule; its start follows."""
        forced = self._forcing.forced
        mark = forced.pop(get_ident(), None) if forced else None
        if mark is not None and mark[1] and mark[0] == context[0]:
            self.recorder.silence(context[1])

    def _may_be_light(self, tracer: Any, others: Sequence[Any]) -> bool:
        return (
            self.recorder.is_recording
            and self.recorder.tracer_type is not None
            and self.sampler is self._forcing
            and bool(self.is_enabled)
            and type(self.pipeline) is sdk_trace.SynchronousMultiSpanProcessor
            and self.recorder.pipeline is self.pipeline
            and len(others) < len(self.processors)
            and not _has_metrics(tracer)
            and self.has_own_methods
            and type(context_api._RUNTIME_CONTEXT) is ContextVarsRuntimeContext
            and all(map(_looks_at_sampled_ends_only, others))
        )


def _has_metrics(tracer: Any) -> bool:
    """Return whether the SDK counts the spans of a tracer."""
    counter = getattr(tracer, "_tracer_metrics", None)
    return counter is not None and type(counter).__name__ != "NoOpTracerMetrics"


def _looks_at_sampled_ends_only(processor: Any) -> bool:
    kind = type(processor)
    known = _EXPORTING.get(kind)
    is_patched = not vars(processor).keys().isdisjoint(_METHODS)
    return known is not None and known == _methods_of(kind, _METHODS) and not is_patched


def _follows_parent(sampler: Any, where: str) -> bool:
    """Return whether a sampler decides as was decided for the parent, local or remote."""
    return type(sampler) in _PARENT_BASED and all(
        _bound_of(getattr(sampler, f"_{where}_parent_{delegate}")) == bound
        for delegate, bound in (("sampled", _ALWAYS), ("not_sampled", 0))
    )


def _bound_of(sampler: Any) -> int | None:
    """Return below which 64 bits of a trace id a sampler of the SDK keeps it; None: of no other."""
    if type(sampler) is sampling.StaticSampler:
        return {_ON: _ALWAYS, _OFF: 0}.get(sampler._decision)
    return sampler.bound if type(sampler) is sampling.TraceIdRatioBased else None
