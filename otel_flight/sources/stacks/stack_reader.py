"""What is going on for one local root, at one moment: where it runs, or what it waits for."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from otel_flight.interpreter.concurrency.await_chain import Chain, chain_of
from otel_flight.interpreter.concurrency.greenlets import GreenletReference, is_running
from otel_flight.interpreter.concurrency.loops import is_outside_steps
from otel_flight.interpreter.concurrency.tasks import context_of, running_task
from otel_flight.interpreter.current_ids import ids_in
from otel_flight.interpreter.frames import (
    Frame,
    Stack,
    current_stacks,
    places_in,
    suspended_stack,
)
from otel_flight.names import attributes as names
from otel_flight.names.wait_kinds import CONNECTION_POOL, LOCK, THREAD_POOL
from otel_flight.recording.open_spans import OpenRoot, OpenSpans, task_of
from otel_flight.records.ids import span_text, trace_text
from otel_flight.sources.locks.locks import frame_holding, owner_of, value_of
from otel_flight.sources.stacks.connection_users import has_connection
from otel_flight.sources.stacks.culprits import described
from otel_flight.sources.stacks.waits import (
    Wait,
    call_of_thread,
    wait_of_greenlet,
    wait_of_task,
    wait_of_thread,
)
from otel_flight.sources.stacks.workers import ANYIO_POOL, Worker, Workers

MOST_SEARCHED: Final = 64
"""The holder of a lock is looked for among at most this many threads, and as many open local
roots."""
MOST_BUSY: Final = 16
"""At most this many threads of a pool are named."""


class RootStack(NamedTuple):
    """What was seen of one root.

    Attributes:
        stack: outermost frame first.
        thread_id: that it runs or waits on; of the loop for a task that waits.
        wait: what it waits for; None: it runs.
    """

    stack: Stack
    thread_id: int
    wait: Wait | None
    pool: str = ""


class _Having(NamedTuple):
    """Who has what others wait for: where it is, for which trace and span, and where it ends."""

    place: str
    thread_id: int
    ids: tuple[int, int]
    innermost: int


class StackReader:
    """Reads what local roots are doing; one for each tick, as it holds the stacks of that moment.

    Args:
        open_spans: where the holder of a lock, or the user of a pool, is looked for.
    """

    def __init__(self, open_spans: OpenSpans) -> None:
        self._open_spans = open_spans
        self._stacks = current_stacks()
        self._known_workers: Workers | None = None
        self._known_roots: Sequence[OpenRoot] | None = None
        self._known_having: dict[int, Sequence[_Having]] = {}

    def read(self, root: OpenRoot) -> RootStack | None:
        """Return what is going on for a root; None when that cannot be told."""
        _, thread_id, reference, _ = root
        if reference is None:
            return self._of_thread(thread_id)
        if isinstance(reference, GreenletReference):
            return self._of_greenlet(reference(), thread_id)
        task = task_of(root)
        return None if task is None or task.done() else self._of_task(task, thread_id)

    def attributes(self, seen: RootStack) -> Mapping[str, Any]:
        """Return what can be said of a root besides its stack."""
        wait = seen.wait
        if wait is None:
            call = call_of_thread(seen.stack)
            return {names.CALL: call} if call else {}
        found: dict[str, Any] = {names.WAIT_KIND: wait.kind, names.WAIT_ON: wait.text}
        if wait.kind == LOCK:
            found |= self._holder(wait, seen)
        if wait.kind == CONNECTION_POOL and wait.object is not None:
            found |= self._connection_users(wait.object, seen)
        if seen.pool:
            found |= self._busy(seen.pool)
        return found

    @property
    def _workers(self) -> Workers:
        if self._known_workers is None:
            self._known_workers = Workers(self._stacks)
        return self._known_workers

    @property
    def _roots(self) -> Sequence[OpenRoot]:
        if self._known_roots is None:
            try:
                roots = itertools.islice(self._open_spans.roots.values(), MOST_SEARCHED)
                self._known_roots = list(roots)
            except RuntimeError:  # one more began, or ended, just then
                self._known_roots = ()
        return self._known_roots

    def _of_thread(self, thread_id: int) -> RootStack | None:
        stack = self._stacks.get(thread_id, ())
        # A root that began in a callback of a loop: whatever that loop does now is not for it.
        if not stack or any(map(is_outside_steps, stack)):
            return None
        return RootStack(stack, thread_id, wait_of_thread(stack))

    def _of_greenlet(self, greenlet: Any, thread_id: int) -> RootStack | None:
        if is_running(greenlet):
            stack = self._stacks.get(thread_id, ())
            return RootStack(stack, thread_id, wait_of_thread(stack)) if stack else None
        stack = suspended_stack(greenlet)
        return RootStack(stack, thread_id, wait_of_greenlet(stack)) if stack else None

    def _of_task(self, task: asyncio.Task[Any], thread_id: int) -> RootStack | None:
        running = running_task(task.get_loop())
        if running is task:
            return RootStack(self._stacks.get(thread_id, ()), thread_id, None)
        chain = chain_of(task)
        if running is not None and running in chain.tasks:
            return RootStack(self._stacks.get(thread_id, ()), thread_id, None)
        if not chain.frames:
            return None
        work = chain.work
        worker = self._workers.doing(work) or self._workers.doing(chain.awaited)
        if worker is not None:
            inner = worker.stack[worker.work_from :]
            stack = [*chain.frames, *inner]
            return RootStack(stack, worker.thread_id, wait_of_thread(inner))
        pool = self._workers.pool_holding_up(work) if work is not None else None
        if pool is not None:
            return RootStack(chain.frames, thread_id, Wait(THREAD_POOL, pool), pool)
        wait = wait_of_task(chain.frames, chain.awaited)
        is_limit = wait.kind == THREAD_POOL
        return RootStack(chain.frames, thread_id, wait, ANYIO_POOL if is_limit else "")

    def _holder(self, wait: Wait, seen: RootStack) -> Mapping[str, Any]:
        if wait.frame is None or not wait.path:
            return {}
        lock = wait.object if wait.object is not None else value_of(wait.frame, wait.path)
        if lock is None:
            return {}
        owner = owner_of(lock)

        def held_in(stack: Stack, thread_id: int) -> Frame | None:
            is_possible = owner in (0, thread_id)
            return frame_holding(lock, stack, is_owner=owner != 0) if is_possible else None

        found = self._having(lock, held_in, seen)
        if len(found) != 1:  # only one can have it: where two seem to, neither is named
            return {}
        return _holder_attributes(found[0].place, found[0].thread_id, *found[0].ids)

    def _having(
        self,
        thing: object,
        search: Callable[[Stack, int], Frame | None],
        seen: RootStack,
    ) -> Sequence[_Having]:
        """Return who but the one seen has a lock or a connection; looked for once for all who wait.

        `search` is given a stack with its thread, and returns the frame that has it.
        """
        known = self._known_having.get(id(thing))
        if known is None:
            by_frame: dict[int, _Having] = {}
            for stack, thread_id, ids in self._stacks_and_ids():
                frame = search(stack, thread_id)
                if frame is not None and frame.key not in by_frame:
                    place = described(places_in(stack[stack.index(frame) :]))
                    by_frame[frame.key] = _Having(place, thread_id, ids, stack[-1].key)
            known = self._known_having[id(thing)] = list(by_frame.values())
        return [each for each in known if each.innermost != seen.stack[-1].key]

    def _stacks_and_ids(self) -> Iterator[tuple[Stack, int, tuple[int, int]]]:
        """Yield the stacks of all threads and of the tasks that wait, and whom they serve."""
        by_thread = {each[1]: each for each in self._roots if each[2] is None}
        for thread_id, stack in itertools.islice(self._stacks.items(), MOST_SEARCHED):
            root = by_thread.get(thread_id)
            ids = _ids_of(root) if root is not None else self._ids_of_thread(thread_id)
            yield stack, thread_id, ids
        for root, chain in self._waiting():
            if chain.frames:
                yield chain.frames, root[1], _ids_of(root)

    def _waiting(self) -> Iterator[tuple[OpenRoot, Chain]]:
        """Yield the local roots whose tasks wait, and where they do."""
        for root in self._roots:
            task = task_of(root)
            if task is not None and not task.done() and running_task(task.get_loop()) is not task:
                yield root, chain_of(task)

    def _ids_of_thread(self, thread_id: int) -> tuple[int, int]:
        """Return for whom a pool's thread works, or a loop's runs a task."""
        for worker in self._workers.all():
            if worker.thread_id == thread_id:
                return self._ids_of_work(worker)
        for root in self._roots:
            task = task_of(root)
            if root[1] == thread_id and task is not None:
                running = running_task(task.get_loop())
                return ids_in(context_of(running)) if running is not None else (0, 0)
        return 0, 0

    def _ids_of_work(self, worker: Worker) -> tuple[int, int]:
        if worker.trace_id:
            return worker.trace_id, worker.span_id
        for root, chain in self._waiting():
            if worker.future in (id(chain.work), id(chain.awaited)):
                return _ids_of(root)
        return 0, 0

    def _connection_users(self, pool: object, seen: RootStack) -> Mapping[str, Any]:
        def used_in(stack: Stack, _: int) -> Frame | None:
            return stack[0] if has_connection(stack, pool) else None

        users = self._having(pool, used_in, seen)[:MOST_BUSY]
        traces = [trace_text(each.ids[0]) for each in users]
        places = [each.place for each in users]
        return {names.POOL_BUSY: places, names.POOL_TRACE_IDS: traces} if users else {}

    def _busy(self, pool: str) -> Mapping[str, Any]:
        busy = [each for each in self._workers.of_pool(pool) if each.future]
        named = busy[:MOST_BUSY]
        traces = [self._ids_of_work(each)[0] for each in named]
        return {
            names.POOL_THREADS: len(busy),
            names.POOL_BUSY: [described(places_in(each.stack)) for each in named],
            names.POOL_TRACE_IDS: list(map(trace_text, traces)),
        }


def _ids_of(root: OpenRoot) -> tuple[int, int]:
    context = root[0].get_span_context()
    return context.trace_id, context.span_id


def _holder_attributes(
    place: str, thread_id: int, trace_id: int, span_id: int
) -> Mapping[str, Any]:
    found: dict[str, Any] = {names.HOLDER: place, names.HOLDER_THREAD_ID: thread_id}
    if trace_id:
        found[names.HOLDER_TRACE_ID] = trace_text(trace_id)
        found[names.HOLDER_SPAN_ID] = span_text(span_id)
    return found
