"""Tracers that make light spans where nobody looks at them before they end; elsewhere the SDK's.

A tracer of the SDK becomes one by its class, and the SDK's again by its class: nothing refers to it
that did not before. Ids, flags, trace state and samplers are used as the SDK uses them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.sdk.trace import Tracer
from opentelemetry.trace import SpanContext, SpanKind, get_current_span
from opentelemetry.trace.propagation import _SPAN_KEY

from otel_flight.interpreter.sdk.internals import CONTEXT_VARIABLE
from otel_flight.interpreter.sdk.own_functions import (
    GET_CURRENT_SPAN,
    START_AS_CURRENT_SPAN,
    START_SPAN,
    as_replaced,
    has_own_methods,
)
from otel_flight.recording.light.compiled_scope import USE_SPAN, USE_SPANS
from otel_flight.recording.light.current_span import START_ARGUMENTS, SpanScope
from otel_flight.recording.light.light_span import LightSpan, begin_span
from otel_flight.recording.light.switch import FLAGS, INHERITED, NO_CONFIG, LightSwitch

_INTERNAL: Final = SpanKind.INTERNAL
_make_tuple: Final = tuple.__new__
_current: Final[Any] = getattr(CONTEXT_VARIABLE, "get", None)
_START_SPAN: Final[Any] = Tracer.start_span
_USUAL: Final = dict(
    zip(START_ARGUMENTS[1:], (None, _INTERNAL, None, (), None, True, True), strict=True)
)
"""These are the arguments of `start_span` where they are not given."""
_api: Final[Any] = trace


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
        if Tracer.start_span is not START_SPAN:
            given = context, kind, attributes, links, start_time
            named = _given(*given, record_exception, set_status_on_exception)
            # By its name, as the SDK's `start_as_current_span` gives it.
            return as_replaced(self, "start_span")(name=name, **named)
        try:
            switch, begin, config = self._switch, self._begin_span, self._tracer_config
        except AttributeError:  # another thread has released the tracer just now
            named = {"record_exception": record_exception}
            named["set_status_on_exception"] = set_status_on_exception
            return _START_SPAN(self, name, context, kind, attributes, links, start_time, **named)
        if (
            switch.sampler is self.sampler
            and switch.is_recording is switch.recorder.is_recording
            and switch.resource is self.resource
            and switch.pipeline is self.span_processor
            and switch.processors is switch.pipeline._span_processors
            and switch.config is config
            and switch.is_enabled is switch.config.is_enabled
        ):
            is_light = switch.is_light or (
                not switch.has_own_methods and has_own_methods() and switch.refresh(self)
            )
        else:
            is_light = switch.refresh(self)
        own: Any = None
        parent: Any = None
        if (
            is_light
            and _api.get_current_span is GET_CURRENT_SPAN
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
                elif has_own_methods() or switch.refresh(self):
                    own, attributes = switch.decide(
                        self, context, parent, name, kind, attributes, links or ()
                    )
        if own is None:
            return _START_SPAN(
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
        return begin(
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
        if Tracer.start_as_current_span is not START_AS_CURRENT_SPAN or (
            _api.use_span is not USE_SPAN and _api.use_span not in USE_SPANS
        ):
            given = context, kind, attributes, links, start_time
            named = _given(*given, record_exception, set_status_on_exception)
            if not end_on_exit:
                named["end_on_exit"] = end_on_exit
            return as_replaced(self, "start_as_current_span")(name, **named)
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


def _given(*values: Any) -> dict[str, Any]:
    """Return those of the arguments of `start_span` but the first that are not the usual ones."""
    named = zip(_USUAL.items(), values, strict=True)
    return {name: value for (name, usual), value in named if value is not usual}


_SDK_TRACER: Final[Any] = Tracer


def adopt(tracer: Any, switch: LightSwitch) -> bool:
    """Let a tracer make light spans where it may; return False if it is not the SDK's, or is one.

    It is the SDK's again after `release`.
    """
    is_known = type(tracer) is _SDK_TRACER
    if is_known:
        switch.refresh(tracer)  # first: with its new class other threads read what was decided
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
