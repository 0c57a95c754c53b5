"""A thread that waits for the work of another is seen in that work, in real threads and pools."""

from __future__ import annotations

import asyncio
import builtins
import importlib
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from pathlib import Path

import pytest

from otel_flight.interpreter.frames import CAN_READ_LOCALS
from otel_flight.names.wait_kinds import EVENT, FUTURE, THREAD_POOL
from otel_flight.sources.stacks.stack_reader import RootStack, StackReader
from tests.support.rigs.served_requests import (
    DEADLINE_SECONDS,
    Gate,
    LoopThread,
    ServingRig,
    serving,
    wait_until_at,
)

pytestmark = pytest.mark.skipif(
    not CAN_READ_LOCALS, reason="local variables are not read without C before Python 3.13"
)


@pytest.fixture
def rig(own_environment: Path) -> Iterator[ServingRig]:
    """Return a rig."""
    with ServingRig(own_environment) as rig:
        yield rig


def seen_in(rig: ServingRig) -> RootStack:
    """Return what is seen of the one open request."""
    open_spans = rig.session.open_spans
    (root,) = open_spans.roots.values()
    seen = StackReader(open_spans).read(root)
    assert seen is not None
    return seen


def functions(seen: RootStack) -> list[str]:
    """Return the names of the functions of a stack."""
    return [frame.code.co_name for frame in seen.stack]


def by_result(futures: list[Future[None]]) -> None:
    """Wait for one after the other."""
    for each in futures:
        each.result()


def by_wait(futures: list[Future[None]]) -> None:
    """Wait for all at once."""
    wait(futures)


def by_as_completed(futures: list[Future[None]]) -> None:
    """Wait for whichever comes first."""
    for each in as_completed(futures):
        each.result()


@pytest.mark.parametrize("wait_for", [by_result, by_wait, by_as_completed])
def test_who_waits_for_a_future_is_seen_in_its_work(
    rig: ServingRig, wait_for: Callable[[list[Future[None]]], None]
) -> None:
    """The stack goes on from the function that waits into the one on the pool's thread."""
    gate = Gate()
    with ThreadPoolExecutor(2) as pool:

        def upload() -> None:
            wait_for([pool.submit(gate.pass_through)])

        with serving(rig, upload, "POST /picture") as thread:
            gate.wait_until_reached()
            wait_until_at(thread, "wait", wait_for.__name__)

            seen = seen_in(rig)

            gate.may_go_on.set()
    order = functions(seen)
    assert order.index("upload") < order.index(wait_for.__name__) < order.index("pass_through")
    assert seen.wait is not None
    assert seen.wait.kind == EVENT
    assert seen.thread_id != thread.ident


def test_who_waits_for_a_future_in_a_queue_waits_for_the_pool(rig: ServingRig) -> None:
    """Work that no thread has begun waits for one: the pool is named."""
    gate = Gate()
    with ThreadPoolExecutor(1, thread_name_prefix="pictures") as pool:
        pool.submit(gate.pass_through)
        gate.wait_until_reached()

        def upload() -> None:
            pool.submit(int).result()

        with serving(rig, upload, "POST /picture") as thread:
            wait_until_at(thread, "wait", "result")

            seen = seen_in(rig)

            gate.may_go_on.set()
    assert seen.wait is not None
    assert (seen.wait.kind, seen.wait.text, seen.pool) == (THREAD_POOL, "pictures", "pictures")
    assert functions(seen)[-1] != "pass_through"


def test_who_joins_a_thread_is_seen_in_it(rig: ServingRig) -> None:
    """Without the functions of `threading` that begin it."""
    gate = Gate()

    def report() -> None:
        thread = threading.Thread(target=gate.pass_through)
        thread.start()
        thread.join()

    with serving(rig, report, "GET /report") as waiting:
        gate.wait_until_reached()
        wait_until_at(waiting, within="join")

        seen = seen_in(rig)

        gate.may_go_on.set()
    order = functions(seen)
    assert order[order.index("report") + 1] == "pass_through"


def test_who_needs_what_another_thread_imports_waits_for_the_import(
    rig: ServingRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for a lock of the interpreter's own."""
    gate = Gate()
    monkeypatch.setattr(builtins, "gate_of_test", gate, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "slow_settings.py").write_text("gate_of_test.pass_through()\n", encoding="utf-8")

    def view() -> None:
        importlib.import_module("slow_settings")

    first = threading.Thread(target=view)
    first.start()
    gate.wait_until_reached()
    with serving(rig, view, "GET /view") as thread:
        wait_until_at(thread, "acquire")

        seen = seen_in(rig)

        gate.may_go_on.set()
    first.join(DEADLINE_SECONDS)
    del sys.modules["slow_settings"]
    assert seen.wait is not None
    assert (seen.wait.kind, seen.wait.text) == ("import", "slow_settings")


def test_a_future_that_nobody_works_on_is_only_waited_for(rig: ServingRig) -> None:
    """Whoever sets it is not known."""
    future: Future[None] = Future()
    with serving(rig, lambda: future.result(DEADLINE_SECONDS), "GET /reply") as thread:
        wait_until_at(thread, "wait", "result")

        seen = seen_in(rig)

        future.set_result(None)
    assert seen.wait is not None
    assert seen.wait.kind == FUTURE


def test_who_waits_for_a_coroutine_of_another_thread_is_seen_in_it(rig: ServingRig) -> None:
    """As code does that is not asynchronous, and asks a loop beside it."""
    gate = asyncio.Event()

    async def ask() -> None:
        await gate.wait()

    with LoopThread() as loop:

        def view() -> None:
            loop.submit(ask()).result(DEADLINE_SECONDS)

        with serving(rig, view, "GET /view") as thread:
            wait_until_at(thread, "wait", "result")
            loop.submit(asyncio.sleep(0)).result(DEADLINE_SECONDS)

            seen = seen_in(rig)

            loop.loop.call_soon_threadsafe(gate.set)
    order = functions(seen)
    assert order.index("view") < order.index("ask")
    assert seen.thread_id == loop.thread_id
