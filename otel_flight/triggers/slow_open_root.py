"""Fires while a slow local root is still open: a hung request never ends."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from otel_flight.names import trigger_names
from otel_flight.recording.open_spans import OpenRoot
from otel_flight.settings import kinds
from otel_flight.settings.declaration import setting_field
from otel_flight.triggers.base import (
    SLOWNESS,
    Hooks,
    TriggerContext,
    TriggerDescription,
    name_of,
)
from otel_flight.triggers.roots.root_kinds import has_answered, is_serving_stream, kind_of
from otel_flight.triggers.roots.route_limits import (
    RouteLimits,
    SlowRootSettings,
    is_any_set,
    slow_firing,
)


@dataclass(frozen=True, kw_only=True)
class SlowOpenRootSettings(SlowRootSettings):
    """Whether the limits count for local roots that are still open."""

    slow_open_root: bool = setting_field("SLOW_OPEN_ROOT", True, kinds.flag())
    """Whether a local root over its limit makes its incident while it is still open: one that hangs
    never ends."""


class SlowOpenRootTrigger:
    """Look over the open local roots, on the ticker's thread.

    Args:
        limits: how long a root may take.
        context: which roots are open, and where firings go.
        fires: whether roots fire while they are open; else only their answers are looked for.
    """

    name: Final = trigger_names.SLOW_OPEN_ROOT

    def __init__(self, limits: RouteLimits, context: TriggerContext, *, fires: bool = True) -> None:
        self._limits = limits
        self._open_spans = context.open_spans
        self._inbox = context.inbox
        self._clock = context.clock
        self._known = context.slow_roots
        self._fires = fires

    def watch(self) -> None:
        """Fire, once each, for local roots that have been open longer than their limit."""
        roots = dict(self._open_spans.roots)
        known = self._known
        known.bound(roots)
        silent = self._open_spans.silent
        now = self._clock.monotonic_ns()
        for span_id, root in roots.items():
            if span_id not in known.told and span_id not in silent:
                self._look(span_id, root, now - root[3])

    def _look(self, span_id: int, root: OpenRoot, age_ns: int) -> None:
        span = root[0]
        name = name_of(span)
        is_set = self._limits.set_ns(name) is not None
        if not is_set and self._has_answered(span_id, span, age_ns):
            return
        if age_ns <= self._limits.least_ns:
            return
        if age_ns <= self._limits.limit_ns(name, kind_of(span)):
            return
        if not is_set and self._known.is_stream(name, partial(is_serving_stream, root)):
            self._known.answered_ns[span_id] = 0
        elif self._fires:
            self._known.told[span_id] = None
            wall_ns = self._clock.wall_ns()
            self._inbox.offer(slow_firing(self.name, span, wall_ns, age_ns, self._limits))

    def _has_answered(self, span_id: int, span: Any, age_ns: int) -> bool:
        """Return whether a request has begun its answer; the first time, note when that was."""
        if span_id in self._known.answered_ns:
            return True
        is_answered = has_answered(span)
        if is_answered:
            self._known.answered_ns[span_id] = age_ns
        return is_answered


def _build(settings: SlowOpenRootSettings, context: TriggerContext) -> Hooks | None:
    if not is_any_set(settings):
        return None
    limits = RouteLimits(settings, context.latency)
    return Hooks(watch=SlowOpenRootTrigger(limits, context, fires=settings.slow_open_root).watch)


TRIGGER: Final = TriggerDescription(
    name=trigger_names.SLOW_OPEN_ROOT,
    about=SLOWNESS,
    settings=SlowOpenRootSettings,
    build=_build,
    docs="how-to/triggers/slow-open-root.md",
)
