"""Samples of the stacks of requests that are slow already, so that next to nothing is paid before.

A local root that has been open for longer than the limit is looked at with each tick, the less
often the older it is: a connection that is open for hours costs next to nothing. A few that may
become slow are looked at before; what was seen of them is kept until they are, or have ended.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from otel_flight.ground.clock import SYSTEM_CLOCK, monotonic_ns, thread_time_ns
from otel_flight.interpreter.code.places import Place
from otel_flight.interpreter.frames import CAN_READ_FRAMES, places_in
from otel_flight.interpreter.threads import native_id_of, thread_with
from otel_flight.names import attributes as names
from otel_flight.names import event_names, source_names
from otel_flight.names import process_attributes as vitals
from otel_flight.recording.open_ages import OpenAges
from otel_flight.recording.open_spans import OpenRoot
from otel_flight.records.records import RuntimeEvent
from otel_flight.settings import kinds
from otel_flight.settings.declaration import SettingsGroup, setting_field
from otel_flight.sources.base import SourceDescription, Surroundings, halves
from otel_flight.sources.kernel.run_queue import RunQueues, was_gil_wait
from otel_flight.sources.kernel.system_calls import blocked_in
from otel_flight.sources.kernel.thread_clocks import ThreadClocks
from otel_flight.sources.stacks.rivals import rival_among
from otel_flight.sources.stacks.stack_reader import RootStack, StackReader

OLDEST_ROOTS: Final = 2_000
"""At most this many open local roots are looked through for those due; younger ones must wait until
there are fewer."""
MOST_SAMPLES: Final = 20
"""At most this many samples are taken with one tick."""
BUDGET_NS: Final = 10_000_000
"""No more samples are begun with one tick after so many nanoseconds."""
MOST_EARLY: Final = 4
"""With one tick, at most this many local roots are looked at that are not slow yet, the oldest."""
EARLY_SHARE: Final = 0.2
"""They are looked at from this part of the limit on."""
EARLY_COST_SHARE: Final = 0.002
"""Looking at them takes at most this part of the CPU time of one core."""
_EARLY_BURST_NS: Final = 2_000_000_000
"""It is kept to on the average of this many nanoseconds."""
_WAIT_SHARE: Final = 0.05
"""A root waits this share of its age between two samples."""
_Due = tuple[OpenRoot, int]
"""A local root to look at, and its age in nanoseconds."""


class _Sample(NamedTuple):
    """What was seen of a local root, and when by the wall clock."""

    root: OpenRoot
    age_ns: int
    moment_ns: int
    seen: RootStack
    attributes: Mapping[str, Any]
    places: Sequence[Place]
    cpu_ns: int
    """The CPU time of its thread since the last look; the next two are of the same time."""
    others_cpu_ns: int
    since_ns: int


@dataclass(frozen=True, kw_only=True)
class StackSettings(SettingsGroup):
    """Which local roots have their stacks sampled."""

    stacks_after_seconds: float | None = setting_field("STACKS_AFTER", 0.25, kinds.limit())
    """How long a local root must be open before the stacks of its threads and tasks are sampled."""


class StackSamples:
    """Record what the slow local roots are doing.

    Args:
        surroundings: what a source is given.
        proc: where the process file system is mounted.

    Attributes:
        samples: how many were recorded since the start.
    """

    name = source_names.STACKS

    def __init__(
        self, limit_seconds: float, surroundings: Surroundings, proc: str = "/proc"
    ) -> None:
        self._limit_ns = int(limit_seconds * 1e9)
        self._events = surroundings.events
        self._open_spans = surroundings.open_spans
        self._clock = surroundings.clock
        self._ages = OpenAges(surroundings.clock)
        self._due_ns: dict[int, int] = {}
        # Of local roots that are not slow yet, by span id.
        self._early: dict[int, list[tuple[RuntimeEvent, Sequence[Place]]]] = {}
        # Earlier than now by as much as has not been used; later than now: too much was.
        self._early_paid_until_ns = 0
        self._run_queues = RunQueues(proc)
        self._clocks = ThreadClocks()
        self._looked_ns = 0
        # The span ids of local roots that ran when they were last looked at.
        self._ran: set[int] = set()
        self._proc = proc
        self.samples = 0

    def start(self) -> None:
        """Nothing to install."""

    def stop(self) -> None:
        """Nothing to remove."""

    def tick(self) -> None:
        """Sample the roots that are due, the oldest first."""
        if not self._open_spans.roots:
            self._ages.update(())
            self._early.clear()
            return
        now_ns, used_ns = self._clock.monotonic_ns(), thread_time_ns()
        roots = self._oldest_roots()
        due = self._due(roots, now_ns)
        self._early = {key: seen for key, seen in self._early.items() if key in roots}
        if not due or not CAN_READ_FRAMES:
            return
        self._due_ns = {key: when for key, when in self._due_ns.items() if key in roots}
        self._run_queues.keep(roots)
        self._ran &= roots.keys()
        # All are seen before anything releases the GIL, and others go on.
        for sample in self._samples(due, now_ns):
            self._record(sample, self._in_kernel(sample, now_ns))
        if due[-1][1] < self._limit_ns:
            since_ns = max(self._early_paid_until_ns, now_ns - _EARLY_BURST_NS)
            used_ns = thread_time_ns() - used_ns
            self._early_paid_until_ns = since_ns + int(used_ns / EARLY_COST_SHARE)

    def _due(self, roots: Mapping[int, OpenRoot], now_ns: int) -> Sequence[_Due]:
        ages_ns = self._ages.update((span_id, root[0]) for span_id, root in roots.items())
        due = [
            (root, ages_ns[span_id])
            for span_id, root in roots.items()
            if now_ns >= self._due_ns.get(span_id, 0)
        ]
        slow = [each for each in due if each[1] >= self._limit_ns]
        if now_ns < self._early_paid_until_ns:
            return slow[:MOST_SAMPLES]
        early_ns = self._limit_ns * EARLY_SHARE
        early = [each for each in due if early_ns <= each[1] < self._limit_ns]
        return [*slow[:MOST_SAMPLES], *early[:MOST_EARLY]]

    def _oldest_roots(self) -> dict[int, OpenRoot]:
        try:
            return dict(itertools.islice(self._open_spans.roots.items(), OLDEST_ROOTS))
        except RuntimeError:  # one more began, or ended, just then
            return {}

    def _samples(self, due: Sequence[_Due], now_ns: int) -> Sequence[_Sample]:
        reader = StackReader(self._open_spans)
        used, since_ns = self._clocks.look(), now_ns - self._looked_ns
        self._looked_ns = now_ns
        newest_of_thread = {root[1]: root for root, _ in due if root[2] is None}
        samples = []
        for root, age_ns in due:
            if self._is_late(now_ns):
                break
            if root[2] is None and newest_of_thread[root[1]] is not root:
                continue  # one root within another: the thread is in the inner one
            span_id = root[0].get_span_context().span_id
            self._due_ns[span_id] = now_ns + int(age_ns * _WAIT_SHARE)
            seen = reader.read(root)
            if seen is not None:
                attributes = reader.attributes(seen)
                others = {each: ns for each, ns in used.items() if each != seen.thread_id}
                if seen.wait is None and (rival := rival_among(others, since_ns, reader.place_on)):
                    attributes = {**attributes, names.RIVAL: rival}
                places = places_in(seen.stack)
                moment_ns = self._clock.wall_ns()
                times_ns = used.get(seen.thread_id, 0), sum(others.values()), since_ns
                samples.append(
                    _Sample(root, age_ns, moment_ns, seen, attributes, places, *times_ns)
                )
        return samples

    def _in_kernel(self, sample: _Sample, now_ns: int) -> Mapping[str, Any]:
        """Return what the kernel says of a thread that waits for nothing that Python knows of.

        That is what it stands still in, and what it got of the CPUs since it was last seen so.
        """
        span_id = sample.root[0].get_span_context().span_id
        ran = span_id in self._ran
        self._ran.discard(span_id)
        if sample.seen.wait is not None:
            return {}
        if self._is_late(now_ns):
            return self._without_kernel(sample, ran=ran)
        thread = thread_with(sample.seen.thread_id)
        native_id = 0 if thread is None else native_id_of(thread)
        call = sample.attributes.get(names.CALL, "")
        blocked = blocked_in(native_id, call, self._proc) if native_id else None
        ran &= blocked is None
        scheduling = self._run_queues.since_last(span_id, sample.seen.thread_id, ran=ran)
        if blocked is None:
            self._ran.add(span_id)
            return scheduling
        return {names.WAIT_KIND: blocked.kind, names.WAIT_ON: blocked.text, **scheduling}

    def _without_kernel(self, sample: _Sample, *, ran: bool) -> Mapping[str, Any]:
        """Return what the clocks say of a thread, where there is no time to ask the kernel more.

        They cost nothing: where threads compete for the GIL, each question lets all others run.
        """
        if sample.cpu_ns <= 0:  # it may stand still in a native call
            return {}
        self._ran.add(sample.root[0].get_span_context().span_id)
        idle_ns = sample.since_ns - sample.cpu_ns
        is_wait = ran and was_gil_wait(idle_ns, sample.others_cpu_ns)
        return {vitals.GIL_WAIT: idle_ns} if is_wait else {}

    def _is_late(self, now_ns: int) -> bool:
        return self._clock is SYSTEM_CLOCK and monotonic_ns() - now_ns > BUDGET_NS

    def _record(self, sample: _Sample, in_kernel: Mapping[str, Any]) -> None:
        context = sample.root[0].get_span_context()
        attributes = {**sample.attributes, **in_kernel}
        event = RuntimeEvent(
            self.name,
            event_names.WAITING if names.WAIT_KIND in attributes else event_names.RUNNING,
            sample.moment_ns,
            sample.moment_ns,
            sample.seen.thread_id,
            *halves(context.trace_id),
            context.span_id,
            attributes,
        )
        if sample.age_ns < self._limit_ns:
            self._early.setdefault(context.span_id, []).append((event, sample.places))
            return
        for each in (*self._early.pop(context.span_id, ()), (event, sample.places)):
            self.samples += 1
            self._events.record(*each)


def _build(settings: StackSettings, surroundings: Surroundings) -> StackSamples | None:
    limit = settings.stacks_after_seconds
    return None if limit is None else StackSamples(limit, surroundings)


SOURCE: Final = SourceDescription(
    name=source_names.STACKS,
    settings=StackSettings,
    build=_build,
    lane="",
    docs="explanation/runtime-events.md",
)
