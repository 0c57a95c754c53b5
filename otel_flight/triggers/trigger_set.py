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


RootEndHook = Callable[[ReadableSpan], None]
NotableEndHook = Callable[[ReadableSpan, bool], None]


def unwatched(*_: object) -> None:
    """The hook of a trigger that is off."""


@dataclass(frozen=True)
class TriggerSet:
    """What to call when.

    Attributes:
        root_end: called on the application's thread with each local root that ended.
        notable_end: called there with each span that ended with a status, or with events where
            they are asked for, and whether it is a local root.
        event_hooks: called with each runtime event on the thread that records it.
        watches: called by the ticker at each tick, with a name for error reports.
        installed: triggers to start and stop with the recorder.
        manual_firing: makes the firing of `trigger(reason, attributes)`; None when that is off.
        answer_request: takes a request of another process, fires and answers; None when that is
            off.
    """

    root_end: RootEndHook
    notable_end: NotableEndHook
    event_hooks: tuple[EventHook, ...]
    watches: tuple[tuple[str, Callable[[], None]], ...]
    installed: tuple[Installed, ...]
    manual_firing: Callable[[str, Mapping[str, Any]], Firing] | None
    answer_request: Callable[[RequestBox, Fire], None] | None
