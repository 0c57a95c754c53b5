"""A program that would notice if someone looked at its stacks with a heavy hand.

Arguments: SCENARIO RECORDER. RECORDER is `plain`, without one; `compiled`; or `pure`, without what
is compiled. Says what it has come to in one line, which is the same each time. A recorder must have
looked meanwhile: else the exit code is 3.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import logging
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

scenario, reader = sys.argv[1:3]
if reader == "pure":
    modules: dict[str, Any] = sys.modules
    modules["otel_flight.interpreter._frames"] = None

from opentelemetry import trace  # noqa: E402
from opentelemetry.sdk.trace import TracerProvider  # noqa: E402

import otel_flight  # noqa: E402

tracer = trace.get_tracer("looked at")
lock = threading.Lock()


def run_in_request(function: Callable[[], object]) -> None:
    """Run a function within a slow request."""
    with tracer.start_as_current_span("request"):
        function()


def threads_of(*functions: Callable[[], object]) -> list[threading.Thread]:
    """Start threads that each serve a slow request."""
    threads = [threading.Thread(target=run_in_request, args=(each,)) for each in functions]
    for thread in threads:
        thread.start()
    return threads


def wait_for_lock() -> None:
    """Wait for what another thread has: who has it is looked for in the stacks of all."""
    with lock:
        pass


def read_locals_of_caller() -> object:
    """A template engine looks at its caller's local variables, for as long as it renders."""
    said: list[str] = []

    def render(template: str) -> str:
        variables = sys._getframe(1).f_locals
        for _ in range(50):
            time.sleep(0.005)
            template.format(**variables)
        return template.format(**variables)

    def page(lock: threading.Lock) -> None:
        name, price = "tea", 3
        with lock:
            threads = threads_of(wait_for_lock)
            try:
                said.append(render("{name} costs {price}"))
            except KeyError as error:
                said.append(repr(error))
        said.append(f"{name} {price}")
        threads[0].join()

    for thread in threads_of(lambda: page(lock)):
        thread.join()
    return said


def be_profiled() -> object:
    """A profiler in Python makes the interpreter write local variables back after each call."""
    said: list[object] = []

    def profile(frame: Any, event: str, argument: object) -> None:
        if frame.f_code.co_name == "compute":
            time.sleep(0.01)

    def compute(lock: threading.Lock) -> None:
        total, name = 0, "tea"
        lock.acquire()
        try:
            for number in range(25):
                total += abs(number)
        finally:
            lock.release()
        said.append((total, name))

    def run() -> None:
        sys.setprofile(profile)
        try:
            compute(lock)
        except UnboundLocalError as error:
            said.append(repr(error))
        finally:
            sys.setprofile(None)

    computing = threads_of(run)
    time.sleep(0.05)
    for thread in [*computing, *threads_of(wait_for_lock)]:
        thread.join(10)
    return [said, lock.locked()]


class Thing:
    """What a local variable has."""

    ended_on: set[str] = set()  # noqa: RUF012

    def __init__(self) -> None:
        self.data = bytearray(10_000)
        things.add(self)

    def __del__(self) -> None:
        self.ended_on.add(threading.current_thread().name)


things: weakref.WeakSet[Thing] = weakref.WeakSet()


def end_objects() -> object:
    """Without collections an object ends when its function does, on the thread of that."""

    def work() -> int:
        thing = Thing()
        time.sleep(0.002)
        return len(thing.data)

    def serve() -> None:
        threading.current_thread().name = "serving"
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            work()

    gc.collect()
    gc.disable()
    for thread in threads_of(*[serve] * 4):
        thread.join()
    return [len(things), sorted(Thing.ended_on)]


def lose_task() -> object:
    """A task that failed says so when nobody has it any more."""
    said: list[str] = []

    async def fail() -> None:
        tracer.start_span("job")
        await asyncio.sleep(0.15)
        raise ValueError("boom")

    async def run() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: said.append(context["message"]))
        task = asyncio.ensure_future(fail())
        await asyncio.sleep(0.2)
        del task
        gc.collect()
        await asyncio.sleep(0.05)

    asyncio.run(run())
    return said


def recurse() -> object:
    """An error of recursion is the program's own, with nothing behind it."""
    said: list[object] = []

    def go_down() -> None:
        go_down()

    def run() -> None:
        for _ in range(20):
            time.sleep(0.01)
            try:
                go_down()
            except RecursionError as error:
                said.append([str(error), repr(error.__context__)])

    run_in_request(run)
    return said


def use_interpreters() -> object:
    """Threads of an interpreter with a GIL of its own do not stop for anybody."""
    is_new = sys.version_info >= (3, 13)
    interpreters = importlib.import_module("_interpreters" if is_new else "_xxsubinterpreters")
    code = "def f(n): return f(n - 1) if n else 0\nfor _ in range(40_000): f(40)"
    run_string = interpreters.exec if is_new else interpreters.run_string

    def run() -> None:
        interpreter = interpreters.create()
        run_string(interpreter, code)
        interpreters.destroy(interpreter)

    run_in_request(lambda: time.sleep(0.2))
    for thread in threads_of(run, run):
        thread.join()
    return "survived"


SCENARIOS: dict[str, Callable[[], object]] = {
    each.__name__: each
    for each in (
        read_locals_of_caller,
        be_profiled,
        end_objects,
        lose_task,
        recurse,
        use_interpreters,
    )
}


def main() -> int:
    """Let it happen; return the exit code."""
    logging.getLogger("otel_flight").setLevel(logging.CRITICAL)
    trace.set_tracer_provider(TracerProvider())
    recorder = None
    if reader != "plain":
        recorder = otel_flight.install(
            export="off",
            tick_seconds=0.01,
            stacks_after_seconds=0.01,
            error_span="off",
            slow_root_seconds=None,
            raised_exceptions=scenario == "recurse",
        )
        recorder.start()
    said = SCENARIOS[scenario]()
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()
    if recorder is not None:
        samples = [
            event
            for event in recorder.snapshot().window.events()
            if event.record.source == "stacks"
        ]
        recorder.stop()
        return 0 if samples else 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
