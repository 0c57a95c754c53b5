"""What is going on for one local root, at one moment: where it runs, or what it waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import dropwhile, islice
from types import CoroutineType
from typing import Any, Final, NamedTuple

from otel_flight.interpreter.concurrency.await_chain import Chain, chain_of
from otel_flight.interpreter.concurrency.greenlets import GreenletReference, is_running
from otel_flight.interpreter.concurrency.loops import is_outside_steps, task_run_in
from otel_flight.interpreter.concurrency.tasks import context_of, running_task
from otel_flight.interpreter.current_ids import ids_in
from otel_flight.interpreter.frames import (
    Frame,
    Stack,
    current_stacks,
    places_in,
    suspended_stack,
)
from otel_flight.interpreter.own_frames import is_ours
from otel_flight.names import attributes as names
from otel_flight.names.wait_kinds import (
    BARRIER,
    CONDITION,
    CONNECTION_POOL,
    EVENT,
    FUTURE,
    LOCK,
    NETWORK,
    QUEUE,
    SEMAPHORE,
    TASK,
    THREAD_POOL,
    TURN_OF_LOOP,
)
from otel_flight.recording.open_spans import OpenRoot, OpenSpans, task_of
from otel_flight.records.ids import trace_text
from otel_flight.sources.locks.locks import frame_holding, owner_of, value_of
from otel_flight.sources.stacks.awaited_work import (
    coroutine_awaited,
    from_work_on,
    futures_awaited,
    task_behind,
    thread_awaited,
    up_to_application,
)
from otel_flight.sources.stacks.connection_users import has_connection
from otel_flight.sources.stacks.culprits import described
from otel_flight.sources.stacks.network_waits import network_wait, time_limit_of
from otel_flight.sources.stacks.others import Others
from otel_flight.sources.stacks.time_limits import TimeLimit, nearest_limit
from otel_flight.sources.stacks.waits import (
    Wait,
    call_of_thread,
    wait_of_greenlet,
    wait_of_task,
    wait_of_thread,
)
from otel_flight.sources.stacks.workers import ANYIO_POOL

MOST_FOLLOWED: Final = 4
"""At most this many threads are followed, each waiting for what the next one does."""
MOST_SHARERS: Final = 3
"""At most this many are named who have what somebody waits for."""
_SHARED: Final = frozenset({BARRIER, CONDITION, EVENT, QUEUE})
_OF_TASKS: Final = frozenset({*_SHARED, FUTURE, TASK})
MOST_BUSY: Final = 16
"""At most this many threads of a pool are named."""


class RootStack(NamedTuple):
    """What was seen of one root.

    Attributes:
        stack: outermost frame first.
        thread_id: that it runs or waits on; of the loop for a task that waits.
        wait: what it waits for; None: it runs.
        pool: the thread pool that has no thread for it.
        limit: which ends it if it takes too long.
    """

    stack: Stack
    thread_id: int
    wait: Wait | None
    pool: str = ""
    limit: TimeLimit | None = None


class StackReader:
    """Reads what local roots are doing; one for each tick, as it holds the stacks of that moment.

    Args:
        open_spans: where the holder of a lock, or the user of a pool, is looked for.
    """

    def __init__(self, open_spans: OpenSpans) -> None:
        self._stacks = current_stacks()
        self._others = Others(open_spans, self._stacks)

    def read(self, root: OpenRoot) -> RootStack | None:
        """Return what is going on for a root; None when that cannot be told."""
        span, thread_id, reference, _ = root
        if reference is None:
            return self._of_thread(thread_id, span.get_span_context().trace_id)
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
        if wait.kind == NETWORK:
            text, limit = network_wait(seen.stack)
        else:
            text, limit = wait.text, time_limit_of(seen.stack)
        found: dict[str, Any] = {names.WAIT_KIND: wait.kind, names.WAIT_ON: text}
        if limit:
            found[names.WAIT_LIMIT] = int(limit * 1e9)
        if seen.limit is not None:
            found[names.LIMIT_PLACE] = described(places_in([seen.limit.frame]))
            found[names.LIMIT_LEFT] = seen.limit.left_ns
        if wait.kind in {LOCK, SEMAPHORE}:
            found |= self._holder(wait, seen)
        sharers = self._sharers(wait, seen)
        found |= {names.WAIT_SHARERS: list(sharers[:MOST_SHARERS])} if sharers else {}
        if wait.kind in _OF_TASKS and names.WAIT_SHARERS not in found:
            death = self._others.death_of_one_with(wait.object)
            found |= {names.WAIT_DEATH: death} if death else {}
        if wait.kind == CONNECTION_POOL and wait.object is not None:
            found |= self._connection_users(wait.object, seen)
        if seen.pool:
            found |= self._busy(seen.pool)
        return found

    def place_on(self, thread_id: int) -> str:
        """Return what a thread does, in a few words; empty: it is not known, or ours."""
        stack = self._stacks.get(thread_id, ())
        ours = any(is_ours(frame.code.co_filename) for frame in stack)
        return "" if ours else described(places_in(stack))

    def _of_thread(self, thread_id: int, trace_id: int) -> RootStack | None:
        stack = self._stacks.get(thread_id, ())
        if any(map(is_outside_steps, stack)):
            return self._of_loop_within(stack, thread_id, trace_id)
        if not stack:
            return None
        return self._followed(RootStack(stack, thread_id, wait_of_thread(stack)))

    def _of_loop_within(self, stack: Stack, thread_id: int, trace_id: int) -> RootStack | None:
        """Return what a loop does that a request runs by itself, as by `asyncio.run`.

        None for a root that began in a callback of a loop: whatever that does now is not for it.
        """
        task, outer = task_run_in(stack)
        if task is None or task.done() or ids_in(context_of(task))[0] != trace_id:
            return None
        if running_task(task.get_loop()) is not None:
            return RootStack(stack, thread_id, wait_of_thread(stack))
        seen = self._of_task(task, thread_id)
        return seen and seen._replace(stack=[*up_to_application(outer), *seen.stack])

    def _followed(self, seen: RootStack) -> RootStack:
        """Return what is going on where the work is done that a thread waits for."""
        for _ in range(MOST_FOLLOWED):
            further = None if seen.wait is None or seen.pool else self._further(seen, seen.wait)
            if further is None:
                break
            seen = further
        return seen

    def _further(self, seen: RootStack, wait: Wait) -> RootStack | None:
        futures = futures_awaited(wait)
        worker = next(filter(None, map(self._others.workers.doing, futures)), None)
        if worker is not None:
            return _going_on(seen, worker.stack[worker.work_from :], worker.thread_id)
        pool = self._others.workers.pool_holding_up(futures[0]) if futures else None
        if pool is not None:
            return seen._replace(wait=Wait(THREAD_POOL, pool), pool=pool)
        task = next(filter(None, map(task_behind, futures)), None)
        if task is not None and not task.done():
            beside = self._of_task(task, getattr(task.get_loop(), "_thread_id", None) or 0)
            return beside and beside._replace(stack=[*up_to_application(seen.stack), *beside.stack])
        coroutine = coroutine_awaited(seen.stack) if wait.kind == EVENT else None
        if coroutine is not None:
            return self._of_coroutine(seen, coroutine)
        joined = thread_awaited(wait)
        return _going_on(seen, from_work_on(self._stacks.get(joined, ())), joined)

    def _of_coroutine(
        self, seen: RootStack, work: CoroutineType[Any, Any, Any]
    ) -> RootStack | None:
        outer = up_to_application(seen.stack)
        if work.cr_running:
            beyond = (
                RootStack([*outer, *inner], thread_id, wait_of_thread(inner))
                for thread_id, stack in self._stacks.items()
                if (inner := list(dropwhile(lambda frame: frame.code is not work.cr_code, stack)))
            )
            found = list(islice(beyond, 2))  # with two of them, it could be either
            return found[0] if len(found) == 1 else None
        chain = chain_of(work)
        wait = wait_of_task(chain.frames, chain.awaited) if chain.frames else None
        return wait and RootStack([*outer, *chain.frames], seen.thread_id, wait)

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
        limit = nearest_limit(chain.tasks, chain.frames)
        return self._of_chain(chain, thread_id)._replace(limit=limit)

    def _of_chain(self, chain: Chain, thread_id: int) -> RootStack:
        work = chain.work
        worker = self._others.workers.doing(work) or self._others.workers.doing(chain.awaited)
        if worker is not None:
            inner = worker.stack[worker.work_from :]
            stack = [*chain.frames, *inner]
            return self._followed(RootStack(stack, worker.thread_id, wait_of_thread(inner)))
        pool = self._others.workers.pool_holding_up(work) if work is not None else None
        if pool is not None:
            return RootStack(chain.frames, thread_id, Wait(THREAD_POOL, pool), pool)
        wait = wait_of_task(chain.frames, chain.awaited)
        if wait.kind in {FUTURE, TASK} and wait.object is None:
            wait = wait._replace(object=chain.future)
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

        found = self._others.having(lock, held_in, seen.stack) or self._others.on_thread(owner)
        # Only one can have a lock: where two seem to, neither is named.
        if not found or (len(found) > 1 and wait.kind == LOCK):
            return {}
        return found[0].as_holder()

    def _sharers(self, wait: Wait, seen: RootStack) -> Sequence[str]:
        if wait.kind == TURN_OF_LOOP:
            return self._others.on_loop(seen.thread_id)
        is_shared = wait.kind in _SHARED and wait.object is not None
        return self._others.sharing(wait.object, seen.stack) if is_shared else ()

    def _connection_users(self, pool: object, seen: RootStack) -> Mapping[str, Any]:
        def used_in(stack: Stack, _: int) -> Frame | None:
            return up_to_application(stack)[-1] if has_connection(stack, pool) else None

        users = self._others.having(pool, used_in, seen.stack)[:MOST_BUSY]
        traces = [trace_text(each.ids[0]) for each in users]
        places = [each.place for each in users]
        return {names.POOL_BUSY: places, names.POOL_TRACE_IDS: traces} if users else {}

    def _busy(self, pool: str) -> Mapping[str, Any]:
        busy = [each for each in self._others.workers.of_pool(pool) if each.future]
        named = busy[:MOST_BUSY]
        traces = [self._others.ids_of_work(each)[0] for each in named]
        return {
            names.POOL_THREADS: len(busy),
            names.POOL_BUSY: [described(places_in(each.stack)) for each in named],
            names.POOL_TRACE_IDS: list(map(trace_text, traces)),
        }


def _going_on(seen: RootStack, inner: Stack, thread_id: int) -> RootStack | None:
    stack = [*up_to_application(seen.stack), *inner]
    return RootStack(stack, thread_id, wait_of_thread(inner)) if inner else None
