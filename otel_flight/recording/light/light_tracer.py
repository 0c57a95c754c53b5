"""Tracers that make light spans where nobody looks at them before they end; elsewhere the SDK's.

A tracer of the SDK becomes one by its class, and the SDK's again by its class: nothing refers to it
that did not before. Ids, flags, trace state and samplers are used as the SDK uses them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from opentelemetry.sdk.trace import Tracer
from opentelemetry.trace import SpanContext, SpanKind, get_current_span
from opentelemetry.trace.propagation import _SPAN_KEY

from otel_flight.interpreter.sdk.internals import CONTEXT_VARIABLE
from otel_flight.recording.light.current_span import SpanScope
from otel_flight.recording.light.light_span import LightSpan, begin_span
from otel_flight.recording.light.switch import FLAGS, INHERITED, NO_CONFIG, LightSwitch

_INTERNAL: Final = SpanKind.INTERNAL
_make_tuple: Final = tuple.__new__
_current: Final[Any] = getattr(CONTEXT_VARIABLE, "get", None)
_SDK_START_SPAN: Final[Any] = Tracer.start_span


class LightTracer(Tracer):
    """A tracer of the SDK that was adopted; see `adopt`."""

    _switch: LightSwitch
    _begin_span: Callable[..., Any] = staticmethod(begin_span)
    _tracer_config: Any = NO_CONFIG

    def start_span(  # noqa: PLR0917
        self,
        name: str,
        context: Any = None,
        kind: Any = _INTERNAL,
        attributes: Any = None,
        links: Any = (),
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> Any:
        """See `opentelemetry.trace.Tracer`."""
        switch = self._switch
        if (
            switch.sampler is self.sampler
            and switch.is_recording is switch.recorder.is_recording
            and switch.resource is self.resource
            and switch.pipeline is self.span_processor
            and switch.processors is switch.pipeline._span_processors
            and switch.config is self._tracer_config
            and switch.is_enabled is switch.config.is_enabled
        ):
            is_light = switch.is_light
        else:
            is_light = switch.refresh(self)
        own: Any = None
        parent: Any = None
        if (
            is_light
            and Tracer.start_span is _SDK_START_SPAN
            and (attributes is None or type(attributes) is dict or isinstance(attributes, Mapping))
        ):
            around = _current() if context is None else context
            current = around.get(_SPAN_KEY)
            if type(current) is LightSpan:
                parent = current._context
            else:
                parent = get_current_span(context).get_span_context()
            if type(parent) is SpanContext:
                if switch.follows_parent and parent[5] and not parent[2]:
                    span_id = self.id_generator.generate_span_id()
                    flags = FLAGS[parent[3] & INHERITED]
                    # Valid, as its trace id is.
                    fields = parent[0], span_id, False, flags, parent[4], span_id > 0
                    own = _make_tuple(SpanContext, fields)
                else:
                    own, attributes = switch.decide(
                        self, context, parent, name, kind, attributes, links or ()
                    )
        if own is None:
            return Tracer.start_span(
                self,
                name,
                context,
                kind,
                attributes,
                links,
                start_time,
                record_exception,
                set_status_on_exception,
            )
        return self._begin_span(
            switch.shape,
            name,
            own,
            parent if parent[5] else None,
            kind,
            attributes,
            links,
            start_time,
            record_exception,
            set_status_on_exception,
        )

    def start_as_current_span(  # noqa: PLR0917
        self,
        name: str,
        context: Any = None,
        kind: Any = _INTERNAL,
        attributes: Any = None,
        links: Any = (),
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ) -> Any:
        """See `opentelemetry.trace.Tracer`."""
        return SpanScope(
            None,
            end_on_exit,
            record_exception,
            set_status_on_exception,
            self,
            (
                name,
                context,
                kind,
                attributes,
                links,
                start_time,
                record_exception,
                set_status_on_exception,
            ),
        )


_SDK_TRACER: Final[Any] = Tracer


def adopt(tracer: Any, switch: LightSwitch) -> bool:
    """Let a tracer make light spans where it may; return False if it is not the SDK's, or is one.

    It is the SDK's again after `release`.
    """
    is_known = type(tracer) is _SDK_TRACER
    if is_known:
        tracer._switch = switch
        tracer.__class__ = LightTracer
        switch.refresh(tracer)
    return is_known


def release(tracer: Any) -> None:
    """Undo `adopt`."""
    if isinstance(tracer, LightTracer):
        tracer.__class__ = _SDK_TRACER
        tracer._switch.release(tracer)
        del tracer._switch
