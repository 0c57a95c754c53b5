"""What a trigger is: how it describes itself, what it is given, what it wants to be called with.

A trigger is one file: its settings, what it looks at, and a `TRIGGER` that the assembly lists.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from opentelemetry.sdk.trace import ReadableSpan

from otel_flight.ground.clock import SYSTEM_CLOCK, Clock
from otel_flight.recording.open_spans import OpenRoot, OpenSpans
from otel_flight.recording.runtime_events import EventHook
from otel_flight.recording.span_processor import unwatched
from otel_flight.records.sanitize import as_text
from otel_flight.settings.declaration import SettingsGroup
from otel_flight.triggers.gate.firing import Firing, FiringInbox
from otel_flight.triggers.latency.learned import LearnedLimits
from otel_flight.triggers.roots.errors_below import ErrorsBelowRoots
from otel_flight.triggers.roots.slow_roots import SlowRoots

FAILURE: Final = "failure"
SLOWNESS: Final = "slowness"
OTHER: Final = "other"
"""These say what the firings of a trigger are about; findings explain a failure otherwise than
slowness."""

Fire = Callable[[Firing], dict[str, Any]]
"""It asks the gate about a firing; it returns `outcome` and `incident_id`, to be sent elsewhere."""


class RequestBox(Protocol):
    """Where requests stand: a `ring.ring.Ring`."""

    def take_request(self) -> dict[str, Any] | None:
        """Return a request that was not answered yet."""
        ...

    def answer_request(self, answer: dict[str, Any]) -> None:
        """Answer it."""
        ...


class Installed(Protocol):
    """A trigger that installs something in the process and removes it again."""

    def start(self) -> None:
        """Install it."""
        ...

    def stop(self) -> None:
        """Remove it."""
        ...


RootEndHook = Callable[[ReadableSpan, OpenRoot | None], None]
"""It is called with a local root that ended, as it was open unless that was not seen, on the
application's thread, under the hot-path law."""
SpanEndHook = Callable[[ReadableSpan, bool], None]
"""It is called in the same way with a span that ended, and whether it is a local root."""


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """What a trigger that is on wants to be called with; None where it wants nothing.

    Attributes:
        root_ended: each local root that ended.
        span_ended: each span that ended with a status or has events.
        event_recorded: each runtime event, on the thread that records it.
        watch: called by the ticker at each tick.
        installed: started and stopped with the recorder.
        manual_firing: makes the firing of `trigger(reason, attributes)`.
        answer_request: takes a request of another process, fires and answers. Ticker only.
    """

    root_ended: RootEndHook | None = None
    span_ended: SpanEndHook | None = None
    event_recorded: EventHook | None = None
    watch: Callable[[], None] | None = None
    installed: Installed | None = None
    manual_firing: Callable[[str, Mapping[str, Any]], Firing] | None = None
    answer_request: Callable[[RequestBox, Fire], None] | None = None


@dataclass(frozen=True)
class TriggerContext:
    """What a trigger is given besides its settings.

    Attributes:
        open_spans: what is being served; read it only.
        inbox: where its firings go.
        clock: by which it waits; a fake one in tests.
        errors_below: where firings wait for the end of their local roots.
        latency: what is learned of how long local roots take.
        slow_roots: what is known of slow local roots.
    """

    open_spans: OpenSpans
    inbox: FiringInbox
    clock: Clock = SYSTEM_CLOCK
    errors_below: ErrorsBelowRoots = field(init=False)
    latency: LearnedLimits = field(init=False)
    slow_roots: SlowRoots = field(init=False, default_factory=SlowRoots)

    def __post_init__(self) -> None:
        waiting = ErrorsBelowRoots(self.open_spans, self.inbox, self.clock)
        object.__setattr__(self, "errors_below", waiting)
        object.__setattr__(self, "latency", LearnedLimits(self.clock))


@dataclass(frozen=True, kw_only=True)
class TriggerDescription:
    """A trigger, as the assembly lists it.

    Attributes:
        name: what the causes of incidents have as their trigger.
        about: `FAILURE`, `SLOWNESS` or `OTHER`.
        settings: the group of settings that it reads.
        build: returns its hooks, or None where the settings, of that group, turn it off.
        docs: its page in the documentation.
    """

    name: str
    about: str
    settings: type[SettingsGroup]
    build: Callable[[Any, TriggerContext], Hooks | None]
    docs: str


@dataclass(frozen=True)
class TriggerSet:
    """The triggers of one run that are on, as the recorder calls them.

    Attributes:
        root_ended: see `Hooks`; does nothing when no trigger asks for it, as the next one.
        span_ended: see `Hooks`.
        event_hooks: see `Hooks.event_recorded`.
        watches: see `Hooks.watch`, with the trigger's name for error reports.
        installed: see `Hooks`.
        manual_firing: see `Hooks`; None when that trigger is off, as the next one.
        answer_request: see `Hooks`.
    """

    root_ended: RootEndHook
    span_ended: SpanEndHook
    event_hooks: tuple[EventHook, ...]
    watches: tuple[tuple[str, Callable[[], None]], ...]
    installed: tuple[Installed, ...]
    manual_firing: Callable[[str, Mapping[str, Any]], Firing] | None
    answer_request: Callable[[RequestBox, Fire], None] | None


def build_triggers(
    descriptions: Iterable[TriggerDescription], settings: SettingsGroup, context: TriggerContext
) -> TriggerSet:
    """Return those of the triggers that the settings turn on."""
    built = ((each.name, each.build(settings, context)) for each in descriptions)
    on = [(name, hooks) for name, hooks in built if hooks is not None]
    below = context.errors_below
    on.append(("errors below", Hooks(root_ended=below.root_ended, watch=below.watch)))
    hooks = [each for _, each in on]
    return TriggerSet(
        root_ended=_all_of([each.root_ended for each in hooks if each.root_ended is not None]),
        span_ended=_all_of([each.span_ended for each in hooks if each.span_ended is not None]),
        event_hooks=tuple(each.event_recorded for each in hooks if each.event_recorded is not None),
        watches=tuple((name, each.watch) for name, each in on if each.watch is not None),
        installed=tuple(each.installed for each in hooks if each.installed is not None),
        manual_firing=next(filter(None, (each.manual_firing for each in hooks)), None),
        answer_request=next(filter(None, (each.answer_request for each in hooks)), None),
    )


def _all_of(hooks: Sequence[Callable[..., None]]) -> Callable[..., None]:
    """Return one hook for all; the only one itself, as it is called for every request."""
    if len(hooks) < 2:
        return hooks[0] if hooks else unwatched

    def call_all(*arguments: object) -> None:
        for hook in hooks:
            hook(*arguments)

    return call_all


def glob_matcher(globs: Sequence[str]) -> Callable[[str], bool]:
    """Return a function telling whether a text matches any of the globs; case counts."""
    if "*" in globs:
        return lambda text: True
    pattern = re.compile("|".join(fnmatch.translate(glob) for glob in globs) or r"(?!)")
    return lambda text: pattern.match(text) is not None


def name_of(span: ReadableSpan) -> str:
    """Return a span's name as text: the SDK takes any object for one."""
    name: object = span.name
    return name if type(name) is str else as_text(name)


def ids_of(span: ReadableSpan) -> tuple[int, int]:
    """Return a span's trace id and span id, zeros when it has no context."""
    context = span.get_span_context()
    return (context.trace_id, context.span_id) if context is not None else (0, 0)
