"""A source of runtime events with real requests to look at: on threads, and on event loops."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Tracer

from otel_flight.ground.clock import SYSTEM_CLOCK, Clock
from otel_flight.incidents.window import WindowEvent
from otel_flight.recording.first_spans import FirstSpans
from otel_flight.recording.span_processor import RecordingSpanProcessor, unwatched
from tests.support.rigs.source_rig import SourceRig

DEADLINE_SECONDS = 20.0


class ServingRig(SourceRig):
    """Spans of `tracer` are open requests for the source; what it wrote is `events()`."""

    def __init__(self, directory: Path, clock: Clock = SYSTEM_CLOCK, **settings: Any) -> None:
        super().__init__(directory, clock, **settings)
        self._processor = RecordingSpanProcessor(FirstSpans(unwatched), self.guard)
        self._processor.record_into(self.session, unwatched, unwatched)
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(self._processor)
        self.tracer: Tracer = provider.get_tracer("rig")

    def named(self, name: str) -> list[WindowEvent]:
        """Return the events of that name."""
        return [event for event in self.events() if event.record.name == name]

    def close(self) -> None:
        """Remove the ring; nothing may have been swallowed."""
        self._processor.disconnect()
        super().close()


class Gate:
    """Lets a thread tell that it has come there, and go on when it may."""

    def __init__(self) -> None:
        self.has_come = threading.Event()
        self.may_go_on = threading.Event()

    def pass_through(self) -> None:
        """Wait there."""
        self.has_come.set()
        assert self.may_go_on.wait(DEADLINE_SECONDS)

    def wait_until_reached(self) -> None:
        """Wait for who is to come."""
        assert self.has_come.wait(DEADLINE_SECONDS)


@contextmanager
def serving(rig: ServingRig, work: Callable[[], object], name: str) -> Iterator[threading.Thread]:
    """Serve a request on a thread of its own."""

    def serve() -> None:
        with rig.tracer.start_as_current_span(name):
            work()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield thread
    finally:
        thread.join(DEADLINE_SECONDS)


def wait_until_at(thread: threading.Thread, function: str = "", within: str = "") -> None:
    """Wait until a thread's innermost function is a given one, for good or for a while.

    Args:
        thread: whose function.
        function: its name; empty: whichever.
        within: the name of one that it must have been called by, through others or not.
    """
    pause = threading.Event()
    for _ in range(2_000):
        frame = sys._current_frames().get(thread.ident or 0)
        names = [each.f_code.co_name for each, _ in traceback.walk_stack(frame)] if frame else []
        if names and function in ("", names[0]) and (not within or within in names):
            return
        pause.wait(0.002)
    raise AssertionError(function or within)


class LoopThread:
    """An event loop that runs on a thread of its own until the `with` block ends.

    Args:
        new_loop: makes it.
    """

    def __init__(
        self, new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    ) -> None:
        self.loop = new_loop()
        self._thread = threading.Thread(target=self._run, name="loop")

    @property
    def thread_id(self) -> int:
        """`threading.get_ident()` of the loop's thread."""
        assert self._thread.ident is not None
        return self._thread.ident

    def submit(self, coroutine: Coroutine[Any, Any, Any]) -> Future[Any]:
        """Run a coroutine as a task of the loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def __enter__(self) -> LoopThread:
        self._thread.start()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.submit(_cancel_all()).result(DEADLINE_SECONDS)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(DEADLINE_SECONDS)
        self.loop.close()


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_default_executor()


def tick_until(tick: Callable[[], None], is_reached: Callable[[], bool]) -> None:
    """Tick, as the ticker's thread would but more often, until something is reached."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    pause = threading.Event()
    while not is_reached():
        assert time.monotonic() < deadline, "not reached in time"
        tick()
        pause.wait(0.002)
