"""Adopt the tracers of a provider: those it has made, and those it will make."""

from __future__ import annotations

import functools
import weakref
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from otel_flight.interpreter.sdk.own_functions import USE_SPAN as USE_SPAN_OF_API
from otel_flight.interpreter.sdk.pipeline import tracers_of
from otel_flight.recording.light.compiled_scope import USE_SPAN
from otel_flight.recording.light.current_span import use_span
from otel_flight.recording.light.light_tracer import adopt, release
from otel_flight.recording.light.switch import LightSwitch
from otel_flight.recording.sampler import FlightSampler
from otel_flight.recording.span_processor import RecordingSpanProcessor

_api: Final[Any] = trace


class Adoption:
    """Lets all tracers of a provider make light spans where they may.

    Args:
        provider: of the SDK.
        processor: ours, which records.
        sampler: ours, around the provider's.
    """

    def __init__(
        self, provider: TracerProvider, processor: RecordingSpanProcessor, sampler: FlightSampler
    ) -> None:
        self._provider: Any = provider
        self._processor = processor
        self._sampler = sampler
        self._adopted: weakref.WeakSet[Any] = weakref.WeakSet()
        self._before: Any = None  # what someone had put in the place of the method
        self._get_tracer: Any = None
        self._is_over = False

    def begin(self, *, is_compiled: bool) -> None:
        """Adopt them, and let `use_span` do without generators; in C, if that was built."""
        for tracer in tracers_of(self._provider):
            self._adopt(tracer)
        self._before = vars(self._provider).get("get_tracer")
        theirs = self._provider.get_tracer

        @functools.wraps(theirs)
        def get_tracer(*arguments: Any, **named: Any) -> Any:
            tracer = theirs(*arguments, **named)
            self._adopt(tracer)
            return tracer

        self._provider.get_tracer = self._get_tracer = get_tracer
        if _api.use_span is USE_SPAN_OF_API:
            _api.use_span = USE_SPAN if is_compiled else use_span

    def end(self) -> None:
        """Give everything back as it was."""
        if vars(self._provider).get("get_tracer") is self._get_tracer:
            del self._provider.get_tracer
            if self._before is not None:
                self._provider.get_tracer = self._before
        self._is_over = True
        for tracer in list(self._adopted):
            release(tracer)
        if _api.use_span in (USE_SPAN, use_span):
            _api.use_span = USE_SPAN_OF_API

    def _adopt(self, tracer: Any) -> None:
        if self._is_over:  # somebody has kept our function
            return
        if adopt(tracer, LightSwitch(self._processor, self._sampler)):
            self._adopted.add(tracer)
