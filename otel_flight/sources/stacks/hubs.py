"""Stalls of gevent's hubs: while one greenlet does not switch, no other one of its thread goes on.

A hub is asked to answer, and does when it has its turn. While it does not, the ticker looks at the
thread, which tells what keeps it. eventlet's hub cannot be asked from another thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Final
from weakref import ref

from otel_flight.ground.clock import ClockPair, monotonic_ns
from otel_flight.ground.guard import Guard
from otel_flight.ground.native import sleep
from otel_flight.interpreter.concurrency.greenlets import hub_of, is_running
from otel_flight.interpreter.frames import current_stack, places_in
from otel_flight.names import attributes as names
from otel_flight.names import event_names, source_names
from otel_flight.recording.open_spans import OpenRoot, greenlet_of
from otel_flight.records.records import RuntimeEvent
from otel_flight.sources.base import Surroundings, halves
from otel_flight.sources.stacks.culprits import culprit_attributes
from otel_flight.sources.stacks.loop_samples import (
    LoopSample,
    call_of,
    is_blocked,
    middle_of,
)
from otel_flight.sources.stacks.waits import call_of_thread

_NEWEST_ROOTS: Final = 32
"""At each tick, the greenlets of at most this many open local roots are asked for their hub."""
_MOST_HUBS: Final = 16
_MOST_SAMPLES: Final = 32
"""At most this many samples of one stall are kept, the newest ones."""
_SECOND_LOOK_SECONDS: Final = 0.005
"""The second sample is taken so many seconds after the first."""
_GROWTH: Final = 1.25
"""A stall that goes on is recorded again each time it has become so many times longer."""
_OF_HUB: Final = "gevent/hub.py"
"""A thread that is in this file waits, or is about to: no greenlet keeps it."""


class Hub:
    """One hub, which is held weakly, and what it was asked.

    Attributes:
        thread_id: of the thread that it runs on.
        asked_ns: when it was asked and has not answered yet; 0: it was not.
        answered_ns: when it answered last.
        began_ns: when the stall began that goes on; `began_wall_ns` by the wall clock.
        samples: what the thread did while an answer was late.
        due_ns: a stall is recorded again when it has become so long.
    """

    def __init__(self, hub: Any, thread_id: int, guard: Guard) -> None:
        self._hub = ref(hub)
        self._guard = guard
        self.thread_id = thread_id
        self.asked_ns = self.answered_ns = self.due_ns = 0
        self.began_ns = self.began_wall_ns = 0
        self.samples: deque[LoopSample] = deque(maxlen=_MOST_SAMPLES)

    @property
    def hub(self) -> Any:
        """The hub; None when it is gone."""
        return self._hub()

    @property
    def is_late(self) -> bool:
        """Whether it has not answered yet."""
        return self.answered_ns < self.asked_ns

    def ask(self) -> None:
        """Let it answer. Ticker only; never waits."""
        hub = self.hub
        if hub is not None:
            self.samples.clear()
            self.due_ns = 0
            self.asked_ns = monotonic_ns()
            with self._guard.swallow(source_names.EVENT_LOOP):
                hub.loop.run_callback_threadsafe(self._answer)

    def look(self, roots: Sequence[OpenRoot], now: ClockPair) -> None:
        """See what its thread does, and for which of the roots."""
        stack = current_stack(self.thread_id)
        running = next((root for root in roots if is_running(greenlet_of(root))), None)
        if not stack or not self.is_late:
            return
        if not self.samples:
            started_ns = self.asked_ns if running is None else running[3]
            self.began_ns = max(self.answered_ns, min(self.asked_ns, started_ns))
            self.began_wall_ns = now.to_wall_ns(self.began_ns)
        context = None if running is None else running[0].get_span_context()
        trace_id, span_id = (0, 0) if context is None else (context.trace_id, context.span_id)
        is_waiting = stack[-1].code.co_filename.endswith(_OF_HUB)
        step = 0 if is_waiting else stack[0].key
        call = call_of_thread(stack)
        self.samples.append(LoopSample(step, places_in(stack), trace_id, span_id, call))

    def _answer(self) -> None:
        """Called by the hub itself."""
        self.answered_ns = monotonic_ns()


class HubWatch:
    """Asks the hubs of the local roots that are open, and records their stalls. Ticker only."""

    def __init__(self, limit_ns: int, surroundings: Surroundings) -> None:
        self._limit_ns = limit_ns
        self._events = surroundings.events
        self._open_spans = surroundings.open_spans
        self._guard = surroundings.guard
        self._hubs: dict[int, Hub] = {}

    def tick(self, now: ClockPair) -> None:
        """Look at the hubs that do not answer, record their stalls, and ask the others."""
        newest = self._open_spans.newest_roots(_NEWEST_ROOTS)
        roots = [root for root in newest if greenlet_of(root) is not None]
        for root in roots:
            hub = hub_of(greenlet_of(root))
            if hub is not None and id(hub) not in self._hubs and len(self._hubs) < _MOST_HUBS:
                self._hubs[id(hub)] = Hub(hub, root[1], self._guard)
        for key, known in list(self._hubs.items()):
            if known.hub is None:
                del self._hubs[key]
                continue
            self._watch(known, roots, now)

    def _watch(self, hub: Hub, roots: Sequence[OpenRoot], now: ClockPair) -> None:
        is_late = hub.is_late
        if is_late and now.monotonic_ns - hub.asked_ns >= self._limit_ns // 2:
            hub.look(roots, now)
            if len(hub.samples) == 1:
                sleep(_SECOND_LOOK_SECONDS)
                hub.look(roots, now)
            is_late = hub.is_late
        until_ns = monotonic_ns() if is_late else hub.answered_ns
        taken_ns = until_ns - hub.began_ns
        if taken_ns >= max(self._limit_ns, is_late * hub.due_ns) and is_blocked(hub.samples):
            hub.due_ns = int(taken_ns * _GROWTH)
            self._record(hub, now, until_ns, is_ongoing=is_late)
        if not is_late and roots:
            hub.ask()

    def _record(self, hub: Hub, now: ClockPair, until_ns: int, *, is_ongoing: bool) -> None:
        shown = middle_of(hub.samples)
        attributes: dict[str, Any] = {
            names.SAMPLES: len(hub.samples),
            names.LOOP: f"{type(hub.hub).__module__}.{type(hub.hub).__qualname__}",
            **culprit_attributes(shown.places),
        }
        if shown.call and call_of(hub.samples) == shown.call:
            attributes[names.CALL] = shown.call
        if is_ongoing:
            attributes[names.ONGOING] = True
        self._events.record(
            RuntimeEvent(
                source_names.EVENT_LOOP,
                event_names.LOOP_BLOCKED,
                hub.began_wall_ns,
                now.to_wall_ns(until_ns),
                hub.thread_id,
                *halves(shown.trace_id),
                shown.span_id,
                attributes,
            ),
            shown.places,
        )
