"""What it costs to look at slow requests: a stack sample alone, and among ten thousand tasks.

The first is the source's own tick, with requests due and with none, in this process; the second is
how late the timers of a loop become in a process whose recorder looks at its tasks.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any
from weakref import ref

from opentelemetry.sdk.trace import TracerProvider

from benchmarks.measuring import child_process, variants
from benchmarks.measuring.figures import Budget, Figure, Result
from benchmarks.measuring.paired_ratios import bootstrap
from benchmarks.runtime_events.sources import OFF

_PROBE = "benchmarks.runtime_events.many_tasks_probe"
_FRAMES = 50
_FRAMES_AROUND = 4
"""Of these, those of `threading`, and the innermost one."""
_FRAMES_OF_WAIT = 2
"""More of these, when it waits for an event."""
_AT_ONCE = 20
"""As many as the source samples with one tick."""
_ONE_SLOW, _ALL_SLOW = "one is slow", "all are slow"
_ON, _OFF = "all sources", "no source"


@dataclass(frozen=True, slots=True)
class _Size:
    rounds: int
    tasks: int
    seconds: float
    processes: int


_FULL = _Size(rounds=200, tasks=10_000, seconds=5.0, processes=3)
_SMOKE = _Size(rounds=3, tasks=200, seconds=0.3, processes=1)


def run(*, smoke: bool) -> Result:
    """Measure samples of threads and of tasks, then whole processes with many tasks."""
    size = _SMOKE if smoke else _FULL
    if not variants.has_recorder():
        return Result(benchmark="stacks", figures=(), notes=["otel_flight cannot be used here"])
    with _parked_threads(is_waiting=False) as threads:
        running = _sample_figure(
            "thread that runs, known stack", _thread_samples(threads, size.rounds)
        )
    with _parked_threads() as threads:
        figures = [
            running,
            _sample_figure("thread, known stack", _thread_samples(threads, size.rounds)),
            _sample_figure(
                "thread, new stack", _thread_samples(threads, max(3, size.rounds // 5), anew=True)
            ),
        ]
    with _parked_tasks() as (thread_id, tasks):
        figures.append(
            _sample_figure("task, known stack", _task_samples(thread_id, tasks, size.rounds))
        )
    figures += _task_figures(size)
    notes = [
        f"{_FRAMES} frames a stack, {_AT_ONCE} samples a tick",
        f"{size.tasks} tasks, of which one or all serve a slow request",
        f"{size.processes} processes of {size.seconds} s for each of their lines",
    ]
    return Result(benchmark="stacks", figures=figures, notes=notes)


def _sample_figure(variant: str, microseconds: list[float]) -> Figure:
    return Figure(
        quantity="stack sample",
        variant=variant,
        unit="µs",
        budget=Budget(limit=50.0) if "known" in variant else None,
        **bootstrap(microseconds)._asdict(),
    )


def _thread_samples(threads: list[int], rounds: int, *, anew: bool = False) -> list[float]:
    """Return what a sample of a thread took, round by round.

    Args:
        threads: their ids.
        rounds: how many.
        anew: begin with no stack known each time.
    """
    roots = [(thread_id, None) for thread_id in threads]
    if not anew:
        return _samples(roots, rounds)
    return [each for _ in range(rounds) for each in _samples(roots, 1, warm_up=0)]


def _task_samples(thread_id: int, tasks: list[Any], rounds: int) -> list[float]:
    return _samples([(thread_id, task) for task in tasks], rounds)


def _samples(roots: list[tuple[int, Any]], rounds: int, warm_up: int = 2) -> list[float]:
    """Have the source sample these roots, as new ones each time, and as often tick for nothing."""
    rig_class = importlib.import_module("tests.support.rigs.source_rig").SourceRig
    clock = importlib.import_module("otel_flight.testing.fake_clock").FakeClock()
    description = importlib.import_module("otel_flight.sources.stack_samples").SOURCE
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("stacks")
    microseconds = []
    with tempfile.TemporaryDirectory() as directory, rig_class(directory, clock) as rig:
        source = rig.build(description)
        for number in range(warm_up + rounds):
            clock.advance(1.0)
            idle = _seconds_of(source.tick)
            for thread_id, task in roots:
                span = tracer.start_span("GET /slow")
                rig.session.open_spans.roots[span.get_span_context().span_id] = (
                    span,
                    thread_id,
                    None if task is None else ref(task),
                    clock.monotonic_ns(),
                )
            clock.advance(1.0)
            before = source.samples
            busy = _seconds_of(source.tick)
            assert source.samples == before + len(roots)
            rig.session.open_spans.roots.clear()
            rig.session.drain()
            if number >= warm_up:
                microseconds.append((busy - idle) / len(roots) * 1e6)
    return microseconds


def _seconds_of(function: Any) -> float:
    gc.disable()
    try:
        begin = perf_counter()
        function()
        return perf_counter() - begin
    finally:
        gc.enable()


@contextmanager
def _parked_threads(*, is_waiting: bool = True) -> Iterator[list[int]]:
    """Yield the ids of threads that wait, in fifty frames each, no two at the same stack.

    Args:
        is_waiting: whether they can be seen to; else they are in a call that may also compute.
    """
    done = threading.Event()
    reading, writing = os.pipe()
    reached = threading.Semaphore(0)

    def odd(left: int, path: int) -> None:
        descend(left, path)

    def even(left: int, path: int) -> None:
        descend(left, path)

    def descend(left: int, path: int) -> None:
        if left:
            (odd if path & 1 else even)(left - 1, path >> 1)
        else:
            reached.release()
            if is_waiting:
                done.wait()
            else:
                os.read(reading, 1)

    pairs = (_FRAMES - _FRAMES_AROUND - is_waiting * _FRAMES_OF_WAIT) // 2
    threads = [threading.Thread(target=descend, args=(pairs, path)) for path in range(_AT_ONCE)]
    try:
        for thread in threads:
            thread.start()
        for _ in threads:
            reached.acquire()
        ids = [thread.ident for thread in threads if thread.ident is not None]
        _wait_until_waiting(ids)
        yield ids
    finally:
        done.set()
        os.close(writing)
        for thread in threads:
            thread.join()
        os.close(reading)


def _wait_until_waiting(thread_ids: list[int]) -> None:
    """Block until each thread has exactly as many frames as are measured."""
    deadline = perf_counter() + 10
    while any(_depth(thread_id) != _FRAMES for thread_id in thread_ids):
        if perf_counter() > deadline:
            depths = {_depth(thread_id) for thread_id in thread_ids}
            message = f"the threads wait in {depths} frames, not in {_FRAMES}"
            raise RuntimeError(message)
        threading.Event().wait(0.01)


def _depth(thread_id: int) -> int:
    frame, depth = sys._current_frames().get(thread_id), 0
    while frame is not None:
        frame, depth = frame.f_back, depth + 1
    return depth


@contextmanager
def _parked_tasks() -> Iterator[tuple[int, list[Any]]]:
    """Yield the id of a loop's thread and its tasks that wait, each in fifty coroutines."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def wait(depth: int, never: asyncio.Event) -> None:
        if depth:
            await wait(depth - 1, never)
        else:
            await never.wait()

    async def begin() -> list[Any]:
        never = asyncio.Event()
        tasks = [asyncio.create_task(wait(_FRAMES - 2, never)) for _ in range(_AT_ONCE)]
        await asyncio.sleep(0)
        return tasks

    async def end(tasks: list[Any]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    tasks = asyncio.run_coroutine_threadsafe(begin(), loop).result()
    try:
        assert thread.ident is not None
        yield thread.ident, tasks
    finally:
        asyncio.run_coroutine_threadsafe(end(tasks), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _task_figures(size: _Size) -> list[Figure]:
    off: dict[str, Any] = {}
    for settings in OFF.values():
        off |= settings
    figures = []
    for scenario, slow in ((_ONE_SLOW, 1), (_ALL_SLOW, size.tasks)):
        measured: Mapping[str, list[Mapping[str, float]]] = {_OFF: [], _ON: []}
        for _ in range(size.processes):
            for name, settings in ((_OFF, off), (_ON, {})):
                measured[name].append(_measure(settings, slow, size))
        figures += _scenario_figures(scenario, measured)
    return figures


def _measure(settings: Mapping[str, Any], slow: int, size: _Size) -> Mapping[str, float]:
    with ExitStack() as stack:
        configuration = {
            "directory": stack.enter_context(tempfile.TemporaryDirectory()),
            "settings": dict(settings),
            "tasks": size.tasks,
            "slow": slow,
            "seconds": size.seconds,
        }
        process = stack.enter_context(child_process.start(_PROBE, configuration))
        result: Mapping[str, float] = child_process.result_of(process, size.seconds + 60)
        return result


def _scenario_figures(
    scenario: str, measured: Mapping[str, list[Mapping[str, float]]]
) -> list[Figure]:
    figures = []
    for quantity, unit in (("p99_ms", "ms"), ("max_ms", "ms"), ("ticker_share", "of a core")):
        for name, processes in measured.items():
            values = [each[quantity] for each in processes]
            figures.append(
                Figure(
                    quantity=f"{_WORDS[quantity]}, {scenario}",
                    variant=name,
                    unit=unit,
                    value=median(values),
                    low=min(values),
                    high=max(values),
                )
            )
    added = median(each["p99_ms"] for each in measured[_ON]) - median(
        each["p99_ms"] for each in measured[_OFF]
    )
    figures.append(
        Figure(
            quantity=f"loop late, added p99, {scenario}",
            variant=_ON,
            unit="ms",
            value=added,
            budget=Budget(limit=1.0),
        )
    )
    return figures


_WORDS = {
    "p99_ms": "loop late, p99",
    "max_ms": "loop late, at most",
    "ticker_share": "ticker",
}
