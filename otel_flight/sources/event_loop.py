"""Stalls of asyncio's event loops: while one function runs too long, every request waits.

Each loop has a beat, which is late when the loop is blocked. Meanwhile the ticker looks at the
loop's thread, which tells what blocks it. Nothing of asyncio or uvloop is patched.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from otel_flight.ground.clock import ClockPair, monotonic_ns, process_time_ns
from otel_flight.ground.native import sleep
from otel_flight.interpreter.concurrency.loops import (
    Found,
    keeps_real_time,
    loops_of_stacks,
    loops_of_tasks,
)
from otel_flight.interpreter.frames import CAN_READ_FRAMES, current_stacks
from otel_flight.names import attributes as names
from otel_flight.names import event_names, source_names
from otel_flight.recording.open_spans import OpenSpans, task_of
from otel_flight.records.records import RuntimeEvent
from otel_flight.settings import kinds
from otel_flight.settings.declaration import SettingsGroup, setting_field
from otel_flight.sources.base import SourceDescription, Surroundings, halves
from otel_flight.sources.stacks.culprits import culprit_attributes, described
from otel_flight.sources.stacks.heartbeat import BUSY_SECONDS, Heartbeat, LateBeat
from otel_flight.sources.stacks.hubs import HubWatch
from otel_flight.sources.stacks.loop_samples import (
    LoopSample,
    call_of,
    is_blocked,
    middle_of,
    sample_loop,
)

MOST_LOOPS: Final = 64
_NEWEST_ROOTS: Final = 32
"""At each tick, the tasks of at most this many open local roots are asked for their loop."""
MOST_SAMPLES: Final = 32
"""At most this many samples of one stall are kept, the newest ones."""
SAMPLED_FROM_NS: Final = 50_000_000
"""A loop's thread is sampled when its beat is late by so many nanoseconds, or by half the limit."""
_SECOND_LOOK_SECONDS: Final = 0.005
"""The second sample is taken so many seconds after the first: a task that still runs then is one
that runs for long."""
_SCAN_NS: Final = 1_000_000_000
_WORKING_SHARE: Final = 0.02
"""Loops are looked for while the process uses at least this share of a CPU."""
_GROWTH: Final = 1.25
"""A stall that goes on is recorded again each time it has become so many times longer."""
_MOST_PARENTS: Final = 20


class _Stall:
    """One that goes on, or that has just ended."""

    def __init__(self, due_ns: int) -> None:
        self.due_ns = due_ns
        self.samples: deque[LoopSample] = deque(maxlen=MOST_SAMPLES)
        self.start_ns = 0
        self.start_wall_ns = 0
        self.next_record_ns = 0


@dataclass(frozen=True, kw_only=True)
class LoopStallSettings(SettingsGroup):
    """Which stalls of event loops are recorded."""

    loop_stall_seconds: float | None = setting_field("LOOP_STALL", 0.1, kinds.limit())
    """How long an event loop must be blocked to be recorded, with the stack that blocks it."""


class EventLoops:
    """Record each stall over the limit of each running loop, also while it goes on.

    Attributes:
        stalls: how many ended since the start.
    """

    name = source_names.EVENT_LOOP

    def __init__(self, limit_seconds: float, surroundings: Surroundings) -> None:
        self._limit_ns = int(limit_seconds * 1e9)
        self._sampled_from_ns = min(SAMPLED_FROM_NS, self._limit_ns // 2)
        self._events = surroundings.events
        self._open_spans = surroundings.open_spans
        self._guard = surroundings.guard
        self._hearts: dict[int, Heartbeat] = {}
        self._stalls: dict[int, _Stall] = {}
        self._hubs = HubWatch(self._limit_ns, surroundings)
        self._scanned_ns = 0
        self._ticked_ns = self._cpu_ns = 0
        self._is_stopped = not CAN_READ_FRAMES
        self.stalls = 0

    def start(self) -> None:
        """Nothing to install: loops are found by the ticker."""

    def stop(self) -> None:
        """Let the beats end."""
        self._is_stopped = True
        for heart in list(self._hearts.values()):
            heart.stop()

    def tick(self) -> None:
        """Find loops, record the stalls that ended, and look at loops whose beat is overdue."""
        now = ClockPair.now()
        is_serving = bool(self._open_spans.roots)
        is_working = self._uses_processor(now.monotonic_ns) or is_serving
        if not self._is_stopped and is_working:
            roots = self._open_spans.newest_roots(_NEWEST_ROOTS)
            self._add(loops_of_tasks((task_of(root), root[1]) for root in roots))
            if now.monotonic_ns - self._scanned_ns >= _SCAN_NS:
                self._scanned_ns = now.monotonic_ns
                self._add(loops_of_stacks(current_stacks()))
        for key, heart in list(self._hearts.items()):
            self._record_ended(key, heart, now)
            loop = heart.loop
            if loop is None or self._is_stopped:
                heart.stop()
                del self._hearts[key]
                self._stalls.pop(key, None)
                continue
            heart.is_serving = is_serving
            heart.keep_beating(loop, is_wanted=is_working)
            self._watch(key, heart, loop, now)
        if not self._is_stopped:
            self._hubs.tick(now)

    def settle(self) -> None:
        """Record the stalls that ended."""
        now = ClockPair.now()
        for key, heart in list(self._hearts.items()):
            self._record_ended(key, heart, now)

    def _uses_processor(self, now_ns: int) -> bool:
        """Return whether the process did something since the last tick that is worth a look."""
        cpu_ns = process_time_ns()
        used_ns, self._cpu_ns = cpu_ns - self._cpu_ns, cpu_ns
        elapsed_ns, self._ticked_ns = now_ns - self._ticked_ns, now_ns
        return used_ns > elapsed_ns * _WORKING_SHARE or not self._scanned_ns

    def _add(self, found: Iterable[Found]) -> None:
        for loop, thread_id in found:
            known = self._hearts.get(id(loop))
            if known is not None and known.loop is loop:
                continue
            has_room = len(self._hearts) < MOST_LOOPS or known is not None
            if has_room and keeps_real_time(loop):
                heart = Heartbeat(loop, thread_id, self._limit_ns, self._guard)
                self._hearts[id(loop)] = heart

    def _record_ended(self, key: int, heart: Heartbeat, now: ClockPair) -> None:
        while heart.late:
            late = heart.late.popleft()
            stall = self._stalls.get(key)
            if stall is None or stall.due_ns != late.due_ns:
                stall = _Stall(late.due_ns)
            if late.run == heart.run:
                self.stalls += 1
                self._record(heart, stall, late, now, is_ongoing=False)
        stall = self._stalls.get(key)
        if stall is not None and stall.due_ns != heart.due_ns:
            del self._stalls[key]

    def _watch(
        self, key: int, heart: Heartbeat, loop: asyncio.AbstractEventLoop, now: ClockPair
    ) -> None:
        """Look at the loop's thread when its beat is overdue; record when the limit is passed."""
        due_ns = heart.due_ns
        if not due_ns or now.monotonic_ns - due_ns < self._sampled_from_ns:
            return
        stall = self._stalls.get(key)
        if stall is None or stall.due_ns != due_ns:
            stall = self._stalls[key] = _Stall(due_ns)
        is_first = not stall.samples
        self._look(heart, loop, stall)
        if is_first:
            sleep(_SECOND_LOOK_SECONDS)
            self._look(heart, loop, stall)
        if heart.due_ns != due_ns or not loop.is_running():
            return  # it is over, as the late beat will tell at the next tick
        came_ns = monotonic_ns()
        if came_ns - due_ns >= max(self._limit_ns, stall.next_record_ns):
            stall.next_record_ns = int((came_ns - due_ns) * _GROWTH)
            late = LateBeat(heart.last_ns, due_ns, came_ns, heart.run)
            self._record(heart, stall, late, now, is_ongoing=True)

    def _look(self, heart: Heartbeat, loop: asyncio.AbstractEventLoop, stall: _Stall) -> None:
        sample = sample_loop(loop, heart.thread_id)
        if sample is not None and heart.due_ns == stall.due_ns:
            stall.samples.append(sample)

    def _record(
        self, heart: Heartbeat, stall: _Stall, late: LateBeat, now: ClockPair, *, is_ongoing: bool
    ) -> None:
        samples = list(stall.samples)
        blocked = is_blocked(samples)
        shown = middle_of(samples) if blocked else LoopSample(0)
        if not stall.start_ns:
            stall.start_ns = self._start_of(shown, late, now)
            stall.start_wall_ns = now.to_wall_ns(stall.start_ns)
        attributes: dict[str, Any] = {names.SAMPLES: len(samples)}
        loop = heart.loop
        if loop is not None:
            attributes[names.LOOP] = f"{type(loop).__module__}.{type(loop).__qualname__}"
        if blocked:
            attributes |= culprit_attributes(shown.places)
        elif samples:
            attributes |= _steps(samples)
        if shown.call and call_of(samples) == shown.call:
            attributes[names.CALL] = shown.call
        if is_ongoing:
            attributes[names.ONGOING] = True
        self._events.record(
            RuntimeEvent(
                self.name,
                _name_of(samples, blocked),
                stall.start_wall_ns,
                now.to_wall_ns(late.came_ns),
                heart.thread_id,
                *halves(shown.trace_id),
                shown.span_id,
                attributes,
            ),
            shown.places,
        )

    def _start_of(self, shown: LoopSample, late: LateBeat, now: ClockPair) -> int:
        """Return when a stall began: after the last beat, and after the request that makes it."""
        root_ns = _root_start_ns(self._open_spans, shown.span_id)
        earliest_ns = late.due_ns - int(BUSY_SECONDS * 1e9)  # the last beat is older after a rest
        began_ns = now.to_monotonic_ns(root_ns) if root_ns else earliest_ns
        return min(late.due_ns, max(late.last_ns, began_ns))


def _name_of(samples: list[LoopSample], blocked: bool) -> str:
    if blocked:
        return event_names.LOOP_BLOCKED
    steps = {sample.step for sample in samples} - {0}
    return event_names.LOOP_SATURATED if len(steps) > 1 else event_names.LOOP_STALLED


def _steps(samples: list[LoopSample]) -> dict[str, Any]:
    return {
        names.LOOP_STEPS: len({sample.step for sample in samples}),
        names.LOOP_SEEN: sorted({described(each.places) for each in samples} - {""}),
    }


def _root_start_ns(open_spans: OpenSpans, span_id: int) -> int:
    """Return when the local root around an open span started, by the wall clock; 0: not known."""
    for _ in range(_MOST_PARENTS):
        span = open_spans.spans.get(span_id)
        if span is None:
            return 0
        parent = span.parent
        if parent is None or parent.is_remote:
            return int(span.start_time or 0)
        span_id = parent.span_id
    return 0


def _build(settings: LoopStallSettings, surroundings: Surroundings) -> EventLoops | None:
    limit = settings.loop_stall_seconds
    return None if limit is None else EventLoops(limit, surroundings)


SOURCE: Final = SourceDescription(
    name=source_names.EVENT_LOOP,
    settings=LoopStallSettings,
    build=_build,
    lane="event loop",
    docs="explanation/runtime-events.md",
)
