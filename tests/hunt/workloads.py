"""What a program of the hunt does, each on threads of its own, and what it would notice.

A workload that finds the program changed raises: a local variable is gone, collections are on or
off against its will, an exception is not its own.
"""

from __future__ import annotations

import gc
import logging
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

from tests.hunt.hunt import Hunt, tracer
from tests.hunt.served_loop import run_loop

logger = logging.getLogger("hunt")


class Resource:
    """A file in a cycle, which a collection closes: that releases the GIL."""

    def __init__(self) -> None:
        self.me, self.descriptor = self, os.open(os.devnull, os.O_WRONLY)

    def __del__(self) -> None:
        os.close(self.descriptor)


def go_deep(hunt: Hunt) -> None:
    """Go up and down deep stacks of frames of all sizes, with files in cycles at the bottom."""

    def grow(left: int) -> None:
        if left:
            grow(left - 1)
            return
        if random.random() < 0.01:
            Resource()
        hunt.kept.append([])
        if len(hunt.kept) > 3000:
            hunt.kept.clear()

    def be_wide(left: int, *, a: int = 1, b: int = 2, c: int = 3, d: int = 4, e: int = 5) -> int:
        f = g = h = i = j = k = a + left
        return be_wide(left - 1) if left else a + b + c + d + e + f + g + h + i + j + k

    for _ in hunt.rounds():
        grow(random.randrange(300))
        be_wide(random.randrange(150))


def log_collections(hunt: Hunt) -> None:
    """Write a line for each collection, as a callback of the program's."""
    with open(os.devnull, "w", buffering=1, encoding="utf-8") as log:  # noqa: PTH123

        def write(phase: str, details: dict[str, int]) -> None:
            print("gc", phase, details, file=log)

        gc.callbacks.append(write)
        while hunt.goes_on():
            time.sleep(0.01)
        gc.callbacks.remove(write)


def fork(hunt: Hunt) -> None:
    """Fork children that serve a request and end in one way or another."""
    for _ in hunt.rounds():
        pid = os.fork()
        if pid == 0:
            with tracer.start_as_current_span("in child"):
                time.sleep(random.uniform(0, 0.05))
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        if status:
            hunt.noticed.append(f"a child ended with {os.waitstatus_to_exitcode(status)}")
        time.sleep(0.02)


class Shared:
    """Locks that threads wait for, by the names that one finds in programs."""

    def __init__(self) -> None:
        self.lock, self.semaphore = threading.Lock(), threading.Semaphore(1)
        self.condition = threading.Condition()


shared = Shared()


def wait_for_locks(hunt: Hunt) -> None:
    """Hold locks and wait for them in every way."""
    for _ in hunt.rounds():
        with shared.lock:
            time.sleep(random.uniform(0, 0.02))
        shared.semaphore.acquire()
        try:
            time.sleep(random.uniform(0, 0.01))
        finally:
            shared.semaphore.release()
        with shared.condition:
            shared.condition.wait(0.005)
            shared.condition.notify_all()


def read_locals(hunt: Hunt) -> None:
    """Look at the caller's local variables, as template engines do, while it waits for a lock."""

    def render(template: str) -> str:
        variables = sys._getframe(1).f_locals
        time.sleep(0.001)
        return template.format(**variables)

    def page(lock: threading.Lock) -> str:
        name, price = "tea", 3
        with lock:
            found = render("{name} costs {price}")
        return f"{found} {name}{price}"

    for _ in hunt.rounds():
        if page(shared.lock) != "tea costs 3 tea3":
            raise AssertionError("the local variables of a page are others")


def be_profiled(hunt: Hunt) -> None:
    """Run under a profiler in Python, which makes the interpreter write local variables back."""

    def profile(frame: Any, event: str, argument: object) -> None:
        if frame.f_code.co_name == "compute":
            time.sleep(0.0005)

    def compute(lock: threading.Lock) -> int:
        total, name = 0, "tea"
        with lock:
            for number in range(20):
                total += len(name) + abs(number)
        return total

    for _ in hunt.rounds():
        sys.setprofile(profile)
        try:
            if compute(shared.lock) != 250:
                raise AssertionError("a profiled function has other variables")
        finally:
            sys.setprofile(None)


def switch_collections(hunt: Hunt) -> None:
    """Turn collections off and on, and see that they are as they were left."""
    for _ in hunt.rounds():
        gc.disable()
        time.sleep(0.002)
        was_on = gc.isenabled()
        gc.enable()
        if was_on:
            raise AssertionError("collections were turned on behind the program's back")
        time.sleep(0.002)
        if not gc.isenabled():
            raise AssertionError("collections were turned off behind the program's back")


def start_threads(hunt: Hunt) -> None:
    """Let threads come and go, also a pool's."""
    for _ in hunt.rounds():
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: sum(range(100)), range(20)))
        threads = [threading.Thread(target=random.random) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def fail_often(hunt: Hunt) -> None:
    """Raise, catch, log, and recurse without end."""

    def recurse() -> None:
        recurse()

    for _ in hunt.rounds():
        try:
            int("tea")
        except ValueError:
            logger.warning("no number")
        try:
            recurse()
        except RecursionError as error:
            if error.__context__ is not None:
                raise AssertionError("an error of recursion hides another one") from error
        time.sleep(0.001)


def use_interpreters(hunt: Hunt) -> None:
    """Run code in other interpreters, with a GIL of their own."""
    interpreters: Any = import_module("_interpreters")
    code = "def f(n): return f(n - 1) if n else 0\nfor _ in range(300): f(50)"
    for _ in hunt.rounds():
        other = interpreters.create("isolated")
        interpreters.exec(other, code)
        interpreters.destroy(other)
        time.sleep(0.05)


WORKLOADS: dict[str, tuple[Callable[[Hunt], None], int]] = {
    "go_deep": (go_deep, 8),
    "log_collections": (log_collections, 1),
    "run_loop": (run_loop, 2),
    "fork": (fork, 2),
    "wait_for_locks": (wait_for_locks, 3),
    "read_locals": (read_locals, 2),
    "be_profiled": (be_profiled, 1),
    "switch_collections": (switch_collections, 1),
    "start_threads": (start_threads, 2),
    "fail_often": (fail_often, 2),
}
"""The workloads by name, and on how many threads each of them runs."""
if sys.version_info >= (3, 13):
    WORKLOADS["use_interpreters"] = (use_interpreters, 1)
