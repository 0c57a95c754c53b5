"""Who else there is at one moment: all threads, the tasks that wait, and whom they serve."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from otel_flight.ground.clock import monotonic_ns, thread_time_ns
from otel_flight.interpreter.code.origin import is_standard
from otel_flight.interpreter.concurrency.await_chain import Chain, chain_of
from otel_flight.interpreter.concurrency.tasks import context_of, few_tasks, running_task
from otel_flight.interpreter.current_ids import ids_in
from otel_flight.interpreter.frames import Frame, Stack, places_in
from otel_flight.names import attributes as names
from otel_flight.recording.open_spans import OpenRoot, OpenSpans, task_of
from otel_flight.records.ids import span_text, trace_text
from otel_flight.sources.stacks.culprits import culprit_of, described, described_from
from otel_flight.sources.stacks.dead_tasks import death_with, errors_of_dead
from otel_flight.sources.stacks.sharers import frame_sharing
from otel_flight.sources.stacks.workers import Worker, Workers

MOST_SEARCHED: Final = 64
"""The holder of a lock is looked for among at most this many threads, and as many open local
roots."""

SHARING_NS: Final = 200_000
"""The others who have what is waited for are looked for during at most so many nanoseconds of CPU
with one tick, whatever all wait for."""
_TURN_NS: Final = 100_000_000
"""The search begins with the next thread each time that so many nanoseconds have passed."""


_Seen = tuple[Stack, int, tuple[int, int]]
"""A stack, the thread it is on, and the trace and span that it serves."""


class Having(NamedTuple):
    """Who has what others wait for: where it is, for which trace and span, and where it ends."""

    place: str
    thread_id: int
    ids: tuple[int, int]
    innermost: int

    def as_holder(self) -> Mapping[str, Any]:
        """Return who that is, of a lock, as attributes of a sample."""
        trace_id, span_id = self.ids
        found: dict[str, Any] = {names.HOLDER: self.place, names.HOLDER_THREAD_ID: self.thread_id}
        if trace_id:
            found[names.HOLDER_TRACE_ID] = trace_text(trace_id)
            found[names.HOLDER_SPAN_ID] = span_text(span_id)
        return found


class Others:
    """All who may have what somebody waits for.

    Args:
        open_spans: of which the local roots are looked at.
        stacks: of all threads.
    """

    def __init__(self, open_spans: OpenSpans, stacks: Mapping[int, Stack]) -> None:
        self._open_spans = open_spans
        self._stacks = stacks
        self._known_workers: Workers | None = None
        self._known_roots: Sequence[OpenRoot] | None = None
        self._known_errors: Sequence[Exception] | None = None
        self._known_having: dict[int, Sequence[Having]] = {}
        self._known_sharing: dict[int, Sequence[tuple[int, str]]] = {}
        self._sharing_left_ns = SHARING_NS
        self._seen_tasks: list[_Seen] = []
        self._unseen_tasks: Iterator[_Seen] | None = None  # not of `self`: that would be a cycle

    @property
    def workers(self) -> Workers:
        """The threads of pools."""
        if self._known_workers is None:
            self._known_workers = Workers(self._stacks)
        return self._known_workers

    def on_loop(self, thread_id: int) -> Sequence[str]:
        """Return what runs on the thread of an event loop, while others wait for their turn."""
        found = culprit_of(places_in(self._stacks.get(thread_id, ())))
        is_known = found is not None and not is_standard(found[0].co_filename)
        return [described([found])] if found is not None and is_known else ()

    def having(
        self,
        thing: object,
        search: Callable[[Stack, int], Frame | None],
        seen: Stack,
    ) -> Sequence[Having]:
        """Return who but the one seen has a lock or a connection; looked for once for all who wait.

        `search` is given a stack with its thread, and returns the frame that has it.
        """
        known = self._known_having.get(id(thing))
        if known is None:
            by_frame: dict[int, Having] = {}
            for stack, thread_id, ids in self._stacks_and_ids():
                frame = search(stack, thread_id)
                if frame is not None and frame.key not in by_frame:
                    place = described_from(places_in(stack[stack.index(frame) :]))
                    by_frame[frame.key] = Having(place, thread_id, ids, stack[-1].key)
            known = self._known_having[id(thing)] = list(by_frame.values())
        return [each for each in known if each.innermost != seen[-1].key]

    def on_thread(self, thread_id: int) -> Sequence[Having]:
        """Return what a thread does that is known to have something; empty: there is no such."""
        return [
            Having(described(places_in(stack)), thread_id, ids, stack[-1].key)
            for stack, its_id, ids in self._stacks_and_ids()
            if its_id == thread_id and stack
        ][:1]

    def sharing(self, thing: object, seen: Stack) -> Sequence[str]:
        """Return where those are who have a queue, an event or a condition, but for the one seen.

        As many threads and tasks are looked at as there is time for, at another moment others.
        """
        if id(thing) not in self._known_sharing:
            if self._sharing_left_ns <= 0:
                return ()
            used_ns = thread_time_ns()
            found: dict[int, tuple[int, str]] = {}
            for stack in self._in_turn():
                if thread_time_ns() - used_ns > self._sharing_left_ns:
                    break
                frame = frame_sharing(thing, stack)
                if frame is not None:
                    place = described_from(places_in(stack[stack.index(frame) :]))
                    found.setdefault(frame.key, (stack[-1].key, place))
            self._known_sharing[id(thing)] = list(found.values())
            self._sharing_left_ns -= thread_time_ns() - used_ns
        own = seen[-1].key
        return [place for innermost, place in self._known_sharing[id(thing)] if innermost != own]

    def death_of_one_with(self, thing: object) -> str:
        """Return of what a task died, and where, that had what is waited for; empty: none did."""
        if self._known_errors is None:
            self._known_errors = errors_of_dead(few_tasks(MOST_SEARCHED))
        return death_with(thing, self._known_errors)

    def _in_turn(self) -> Iterator[Stack]:
        """Yield the stacks of threads and of tasks that wait, now these first and now those."""
        turn = monotonic_ns() // _TURN_NS
        threads = list(self._stacks.values())
        first = turn // 2 % len(threads) if threads else 0
        of_tasks = (stack for stack, _, _ in self._of_tasks())
        of_threads = (*threads[first:], *threads[:first])
        yield from of_tasks if turn % 2 else of_threads
        yield from of_threads if turn % 2 else of_tasks

    def _stacks_and_ids(self) -> Iterator[_Seen]:
        """Yield the stacks of all threads and of the tasks that wait, and whom they serve."""
        by_thread = {each[1]: each for each in self._roots if each[2] is None}
        for thread_id, stack in itertools.islice(self._stacks.items(), MOST_SEARCHED):
            root = by_thread.get(thread_id)
            ids = _ids_of(root) if root is not None else self._ids_of_thread(thread_id)
            yield stack, thread_id, ids
        yield from self._of_tasks()

    def _of_tasks(self) -> Iterator[_Seen]:
        """Yield the tasks that wait; each is looked at once."""
        if self._unseen_tasks is None:
            self._unseen_tasks = _find_tasks(self._roots)
        for number in itertools.count():
            if number == len(self._seen_tasks):
                self._seen_tasks += itertools.islice(self._unseen_tasks, 1)
                if number == len(self._seen_tasks):
                    return
            yield self._seen_tasks[number]

    def _ids_of_thread(self, thread_id: int) -> tuple[int, int]:
        """Return for whom a pool's thread works, or a loop's runs a task."""
        for worker in self.workers.all():
            if worker.thread_id == thread_id:
                return self.ids_of_work(worker)
        for root in self._roots:
            task = task_of(root)
            if root[1] == thread_id and task is not None:
                running = running_task(task.get_loop())
                return ids_in(context_of(running)) if running is not None else (0, 0)
        return 0, 0

    def ids_of_work(self, worker: Worker) -> tuple[int, int]:
        """Return the trace and the span that a pool's thread works for; zeros: not known."""
        if worker.trace_id:
            return worker.trace_id, worker.span_id
        for root, chain in _waiting(self._roots):
            if worker.future in (id(chain.work), id(chain.awaited)):
                return _ids_of(root)
        return 0, 0

    @property
    def _roots(self) -> Sequence[OpenRoot]:
        if self._known_roots is None:
            try:
                roots = itertools.islice(self._open_spans.roots.values(), MOST_SEARCHED)
                self._known_roots = list(roots)
            except RuntimeError:  # one more began, or ended, just then
                self._known_roots = ()
        return self._known_roots


def _find_tasks(roots: Sequence[OpenRoot]) -> Iterator[_Seen]:
    for root, chain in _waiting(roots):
        if chain.frames:
            yield chain.frames, root[1], _ids_of(root)
    for task in few_tasks(MOST_SEARCHED):  # of no root, too: what a request began, or none did
        if not task.done() and running_task(task.get_loop()) is not task:
            thread_id = getattr(task.get_loop(), "_thread_id", None) or 0
            yield chain_of(task).frames, thread_id, ids_in(context_of(task))


def _waiting(roots: Sequence[OpenRoot]) -> Iterator[tuple[OpenRoot, Chain]]:
    """Yield the local roots whose tasks wait, and where they do."""
    for root in roots:
        task = task_of(root)
        if task is not None and not task.done() and running_task(task.get_loop()) is not task:
            yield root, chain_of(task)


def _ids_of(root: OpenRoot) -> tuple[int, int]:
    context = root[0].get_span_context()
    return context.trace_id, context.span_id
