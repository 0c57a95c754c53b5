"""The triggers of one recording session, as the recorder runs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from opentelemetry.sdk.trace import ReadableSpan

from otel_flight.recording.runtime_events import EventHook
from otel_flight.triggers.base import Fire, Firing, RequestBox


class Installed(Protocol):
    """A trigger that puts something into the process and takes it out again."""

    def start(self) -> None:
        """Put it in."""
        ...

    def stop(self) -> None:
        """Take it out."""
        ...


SpanEndHook = Callable[[ReadableSpan, bool], None]


@dataclass(frozen=True)
class TriggerSet:
    """What to call when.

    Attributes:
        span_end_hooks: called on the application's thread with each notable span that ended and
            whether it is a local root.
        event_hooks: called with each runtime event on the thread that records it.
        watches: called by the ticker at each tick, with a name for error reports.
        installed: triggers to start and stop with the recorder.
        manual_firing: makes the firing of `trigger(reason, attributes)`; None when that is off.
        answer_request: takes a request of another process, fires and answers; None when that is
            off.
    """

    span_end_hooks: tuple[SpanEndHook, ...]
    event_hooks: tuple[EventHook, ...]
    watches: tuple[tuple[str, Callable[[], None]], ...]
    installed: tuple[Installed, ...]
    manual_firing: Callable[[str, Mapping[str, Any]], Firing] | None
    answer_request: Callable[[RequestBox, Fire], None] | None

    def span_ended(self, span: ReadableSpan, is_local_root: bool) -> None:
        """Show a span to every hook."""
        for hook in self.span_end_hooks:
            hook(span, is_local_root)
