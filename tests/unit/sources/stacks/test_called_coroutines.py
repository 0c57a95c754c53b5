"""A coroutine that a library calls, and not one of its own kind, is seen as any other."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from otel_flight.interpreter.frames import CAN_READ_LOCALS
from otel_flight.sources.stacks.stack_reader import RootStack, StackReader
from tests.support.rigs.served_requests import DEADLINE_SECONDS, LoopThread, ServingRig, serving


@pytest.fixture
def rig(own_environment: Path) -> Iterator[ServingRig]:
    """Return a rig."""
    with ServingRig(own_environment) as rig:
        yield rig


class Slow:
    """A coroutine function that goes on when it may.

    Args:
        is_blocking: whether it keeps the loop meanwhile.
    """

    def __init__(self, *, is_blocking: bool = False) -> None:
        self._is_blocking = is_blocking
        self.has_come = threading.Event()
        self.may_go_on = threading.Event()

    async def view(self) -> None:
        """Say that it has come there, and go on when it may."""
        if self._is_blocking:
            self.has_come.set()
            assert self.may_go_on.wait(DEADLINE_SECONDS)
        else:
            asyncio.get_running_loop().call_soon(self.has_come.set)
            while not self.may_go_on.is_set():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    def look(self, rig: ServingRig) -> RootStack:
        """Return what is seen of the one open request when it has come there."""
        assert self.has_come.wait(DEADLINE_SECONDS)
        open_spans = rig.session.open_spans
        (root,) = open_spans.roots.values()
        try:
            seen = StackReader(open_spans).read(root)
        finally:
            self.may_go_on.set()
        assert seen is not None
        return seen


def wait_until_waiting_in(function: str) -> None:
    """Wait until some thread waits, right below a function, for what it will not get before."""
    pause = threading.Event()
    for _ in range(2_000):
        frames = sys._current_frames().values()
        callers = [frame.f_back for frame in frames if frame.f_code.co_name == "wait"]
        if any(caller is not None and caller.f_code.co_name == function for caller in callers):
            return
        pause.wait(0.002)
    raise AssertionError(function)


@pytest.mark.skipif(not CAN_READ_LOCALS, reason="local variables cannot be read")
@pytest.mark.parametrize("is_blocking", [False, True], ids=["waits", "runs"])
def test_a_view_that_a_thread_lets_a_loop_run_is_seen(rig: ServingRig, is_blocking: bool) -> None:
    """Django calls an asynchronous view from a thread, and runs it on its loop."""
    asgiref_sync = pytest.importorskip("asgiref.sync")
    slow = Slow(is_blocking=is_blocking)

    def middleware() -> None:
        with rig.tracer.start_as_current_span("GET /slow"):
            asgiref_sync.async_to_sync(slow.view)()

    async def serve(function: Callable[[], Any]) -> None:
        call = asgiref_sync.sync_to_async(function, thread_sensitive=False, executor=pool)
        await call()

    with ThreadPoolExecutor(1) as pool, LoopThread() as loop:
        served = loop.submit(serve(middleware))
        wait_until_waiting_in("run_until_future")
        seen = slow.look(rig)
        served.result(DEADLINE_SECONDS)

    names = [frame.code.co_name for frame in seen.stack]
    assert names.index("middleware") < names.index("view")
    assert "run_until_future" not in names


@pytest.mark.skipif(not CAN_READ_LOCALS, reason="local variables cannot be read")
@pytest.mark.parametrize("is_blocking", [False, True], ids=["waits", "runs"])
def test_a_loop_that_a_request_runs_by_itself_is_seen(rig: ServingRig, is_blocking: bool) -> None:
    """As a synchronous view or a job does with `asyncio.run`."""
    slow = Slow(is_blocking=is_blocking)

    def view_by_itself() -> None:
        asyncio.run(slow.view())

    with serving(rig, view_by_itself, "GET /slow"):
        seen = slow.look(rig)

    names = [frame.code.co_name for frame in seen.stack]
    assert names.index("view_by_itself") < names.index("view")


class _Foreign(Coroutine[Any, Any, None]):
    """A coroutine as Cython makes them: without a frame that knows where it is."""

    def __init__(self, awaited: Coroutine[Any, Any, None]) -> None:
        self.cr_await = awaited

    def __await__(self) -> Any:
        return self.cr_await.__await__()

    def send(self, value: Any) -> Any:
        return self.cr_await.send(value)

    def throw(self, *arguments: Any) -> Any:
        return self.cr_await.throw(*arguments)

    def close(self) -> None:
        self.cr_await.close()


_Foreign.__name__, _Foreign.__module__ = "coroutine", "_cython_3_2_8"


def test_a_coroutine_that_cython_calls_is_seen(rig: ServingRig) -> None:
    """The handlers of grpc.aio are called by coroutines that have no frames."""
    slow = Slow()

    async def handle() -> None:
        with rig.tracer.start_as_current_span("Reserve"):
            await slow.view()

    with LoopThread() as loop:
        served = loop.submit(_Foreign(_Foreign(handle())))
        seen = slow.look(rig)
        served.result(DEADLINE_SECONDS)

    assert [frame.code.co_name for frame in seen.stack][:2] == ["handle", "view"]
