"""What all light spans of one tracer have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk import trace as sdk_trace
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope


class SpanShape:
    """What all spans of one tracer have in common, as long as nothing about it changes.

    Attributes:
        recorder: a `RecordingSpanProcessor` whose methods the next two are; None: it is none.
        started: takes a span that has started.
        ended: takes a span that has ended.
        exporting: the SDK's processors that a sampled span which ended is given to before.
        of_pipeline: what the pipeline has of its own; empty: nobody but us is told of an end.
        processors: those of the pipeline when `exporting` were chosen; there may be others by now.
        most: how many attributes a span has at most; -1: none is kept as given, as values are cut.
    """

    __slots__ = (
        "ended",
        "exporting",
        "info",
        "limits",
        "most",
        "no_events",
        "no_links",
        "of_pipeline",
        "pipeline",
        "processors",
        "recorder",
        "resource",
        "sampler",
        "scope",
        "started",
    )

    def __init__(
        self,
        tracer: sdk_trace.Tracer,
        started: Callable[[Any], None],
        ended: Callable[[Any], None],
    ) -> None:
        self.limits: Any = tracer._span_limits
        self.sampler = tracer.sampler
        self.resource = tracer.resource
        self.pipeline = tracer.span_processor
        self.info: Any = tracer.instrumentation_info
        self.scope: InstrumentationScope = tracer._instrumentation_scope
        self.recorder: object = None
        self.started = started
        self.ended = ended
        self.exporting: tuple[Any, ...] = ()
        self.of_pipeline: Any = {}
        self.processors: Any = None
        self.no_events: Any = BoundedList(self.limits.max_events)
        self.no_links: Any = BoundedList(self.limits.max_links)
        most = self.limits.max_span_attributes
        is_cut = self.limits.max_span_attribute_length is not None
        self.most: int = -1 if is_cut else 1 << 62 if most is None else most

    def bounded(self, attributes: Mapping[str, Any] | None) -> Any:
        """Return attributes in a container as the SDK has for those of a span."""
        return BoundedAttributes(
            self.limits.max_span_attributes,
            attributes,
            immutable=False,
            max_value_len=self.limits.max_span_attribute_length,
        )
