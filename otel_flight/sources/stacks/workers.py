"""The threads of thread pools: which work each of them does, and for which request.

Knows `concurrent.futures.ThreadPoolExecutor` (hence `run_in_executor` and `asyncio.to_thread`) and
anyio's worker threads, on which Starlette and FastAPI run functions that are not coroutines.
"""

from __future__ import annotations

import functools
import gc
import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, thread
from contextvars import Context
from types import CodeType
from typing import Any, Final, NamedTuple

from otel_flight.interpreter.current_ids import ids_in
from otel_flight.interpreter.frames import Stack, value_in, values_in
from otel_flight.interpreter.threads import thread_with

MOST_THREADS: Final = 256
"""At most this many threads are looked at."""
MOST_QUEUED: Final = 10_000
"""A piece of work is looked for among at most this many in a pool's queue."""
ANYIO_POOL: Final = "AnyIO worker thread"

_ANYIO_NAMES: Final = ("future", "context")
_MOST_BELOW: Final = 8
"""A pool's function is among this many outermost frames: below it are the thread's own few."""
_WORKER: Final = thread.__dict__["_worker"].__code__
_WORK_ITEM_RUN: Final = thread.__dict__["_WorkItem"].run.__code__


class Worker(NamedTuple):
    """A thread of a pool.

    Attributes:
        thread_id: `threading.get_ident()` of it.
        pool: the pool's name: what its threads' names have in common.
        stack: its frames, outermost first.
        work_from: where the work begins in them.
        future: the id of what the work's result will be in; 0 when the thread is idle.
        trace_id: of the span that is current in the work's context; 0: none, or not known.
        span_id: as well.
    """

    thread_id: int
    pool: str
    stack: Stack
    work_from: int
    future: int
    trace_id: int = 0
    span_id: int = 0


class Workers:
    """The pool threads of this process, at one moment.

    Args:
        stacks: of all threads.
    """

    def __init__(self, stacks: Mapping[int, Stack]) -> None:
        self._by_future: dict[int, Worker] = {}
        self._pools: dict[str, list[Worker]] = {}
        looked_at = dict(itertools.islice(stacks.items(), MOST_THREADS))
        for worker in (*_executor_workers(looked_at), *_anyio_workers(looked_at)):
            self._pools.setdefault(worker.pool, []).append(worker)
            if worker.future:
                self._by_future[worker.future] = worker

    def doing(self, future: object) -> Worker | None:
        """Return the thread that works on what a future, of either kind, is waiting for."""
        return self._by_future.get(id(future))

    def all(self) -> Iterator[Worker]:
        """Yield the threads of all pools."""
        for workers in self._pools.values():
            yield from workers

    def of_pool(self, pool: str) -> Sequence[Worker]:
        """Return the threads of a pool."""
        return self._pools.get(pool, ())

    def pool_holding_up(self, work: Future[Any]) -> str | None:
        """Return the pool in whose queue a piece of work stands because all its threads are busy.

        None when that is not so, or not certain.
        """
        if work.running() or work.done():
            return None
        for pool, workers in self._pools.items():
            is_busy = all(worker.future for worker in workers)
            if pool != ANYIO_POOL and is_busy and _is_queued(work, workers[0]):
                return pool
        return None


def _anyio_run() -> CodeType | None:
    module = sys.modules.get("anyio._backends._asyncio")
    run = getattr(getattr(module, "WorkerThread", None), "run", None)
    return getattr(run, "__code__", None)


def _executor_workers(stacks: Mapping[int, Stack]) -> Iterator[Worker]:
    found = list(_running(_WORKER, stacks))
    items = iter(
        values_in((stack[at + 1], "self") for _, stack, at in found if _is_at_work(stack, at))
    )
    for thread_id, stack, at in found:
        item = next(items) if _is_at_work(stack, at) else None
        future = getattr(item, "future", None)
        name = getattr(thread_with(thread_id), "name", "")
        pool = name.rpartition("_")[0] or name
        ids = ids_in(_context_of(item))
        yield Worker(thread_id, pool, stack, at + 2, _id_of(future), *ids)


def _anyio_workers(stacks: Mapping[int, Stack]) -> Iterator[Worker]:
    found = list(_running(_anyio_run(), stacks))
    values = values_in((stack[at], name) for _, stack, at in found for name in _ANYIO_NAMES)
    for (thread_id, stack, at), future, context in zip(
        found, values[::2], values[1::2], strict=True
    ):
        ids = ids_in(context if isinstance(context, Context) else None)
        yield Worker(thread_id, ANYIO_POOL, stack, at + 1, _id_of(future), *ids)


def _running(
    code: CodeType | None, stacks: Mapping[int, Stack]
) -> Iterator[tuple[int, Stack, int]]:
    """Yield the threads that a function is at the bottom of, their stacks, and where it stands."""
    for thread_id, stack in stacks.items():
        for at, frame in enumerate(stack[:_MOST_BELOW]):
            if frame.code is code:
                yield thread_id, stack, at
                break


def _is_at_work(stack: Stack, at: int) -> bool:
    return at + 1 < len(stack) and stack[at + 1].code is _WORK_ITEM_RUN


def _id_of(future: object) -> int:
    return 0 if future is None else id(future)


def _context_of(item: Any) -> Context | None:
    """Return the context that `asyncio.to_thread` runs its function in."""
    function = getattr(item, "fn", None)
    if isinstance(function, functools.partial):
        owner = getattr(function.func, "__self__", None)
        return owner if isinstance(owner, Context) else None
    return None


def _is_queued(work: Future[Any], worker: Worker) -> bool:
    frame = worker.stack[worker.work_from - 2]
    waiting = gc.get_referents(value_in(frame, "work_queue"))
    items = [item for each in waiting for item in (each if type(each) is list else [each])]
    return any(getattr(item, "future", None) is work for item in items[:MOST_QUEUED])
