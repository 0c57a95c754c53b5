"""The source of exceptions that nobody handled, each really raised where nobody does."""

from __future__ import annotations

import _thread
import asyncio
import code
import gc
import logging
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

from otel_flight.incidents.window import WindowEvent
from otel_flight.names import event_names
from otel_flight.names import exception_attributes as names
from otel_flight.records.records import RuntimeEvent
from otel_flight.sources.exceptions import MOST_WAITING, UnhandledExceptions
from tests.support.rigs.source_rig import SourceRig


class Quiet:
    """The hooks that were there before ours: they note that they were called, and print nothing."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def main(self, *_: Any) -> None:
        """Stands for `sys.excepthook`."""
        self.calls.append("main")

    def thread(self, _: Any) -> None:
        """Stands for `threading.excepthook`."""
        self.calls.append("thread")

    def finalizer(self, _: Any) -> None:
        """Stands for `sys.unraisablehook`."""
        self.calls.append("finalizer")


class Rig(SourceRig):
    """A started source."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.source = UnhandledExceptions(self.surroundings)
        self.source.start()

    def records(self) -> list[RuntimeEvent]:
        """Return what was recorded, after a tick."""
        self.source.tick()
        return [event.record for event in self.events()]

    def only(self) -> WindowEvent:
        """Return the one event there is, after a tick."""
        self.source.tick()
        (event,) = self.events()
        return event


@pytest.fixture
def quiet() -> Iterator[Quiet]:
    """Hooks that keep the test's exceptions from pytest's, which would fail the test for them."""
    quiet = Quiet()
    before = sys.excepthook, threading.excepthook, sys.unraisablehook
    sys.excepthook, threading.excepthook = quiet.main, quiet.thread
    sys.unraisablehook = quiet.finalizer
    yield quiet
    sys.excepthook, threading.excepthook, sys.unraisablehook = before


@pytest.fixture
def rig(tmp_path: Path, quiet: Quiet) -> Iterator[Rig]:
    """A started source."""
    rig = Rig(tmp_path / "ring")
    yield rig
    rig.source.stop()
    rig.close()


def consume() -> None:
    """Fail with a wrapped exception."""
    try:
        dict[str, int]()["order"]
    except KeyError as error:
        message = "no order"
        raise RuntimeError(message) from error


def die(target: Any = consume, name: str = "consumer") -> int:
    """Run a thread until its exception ends it; return its id."""
    thread = threading.Thread(target=target, name=name)
    thread.start()
    thread.join()
    return thread.ident or 0


class FailsWhenFreed:
    """Raises in its finalizer."""

    def __del__(self) -> None:
        raise OSError(5, "left open")


def test_an_exception_of_a_thread(rig: Rig, quiet: Quiet) -> None:
    """With the thread, the function that raised it, its chain and its stack."""
    thread_id = die()

    event = rig.only()
    record = event.record
    assert (record.source, record.name) == ("exceptions", "unhandled exception")
    assert record.thread_id == thread_id
    assert record.attributes == {
        names.ENDED: names.THREAD,
        names.WHERE: "consumer",
        "exception.type": "RuntimeError",
        "exception.message": "no order",
        names.CHAIN: record.attributes[names.CHAIN],
        "code.function.name": "consume",
        "code.file.path": __file__,
        "code.line.number": consume.__code__.co_firstlineno + 6,
    }
    assert record.attributes[names.CHAIN][0].startswith("KeyError: 'order' in consume (")
    assert event.stack is not None
    assert [frame.function.rpartition(".")[2] for frame in event.stack.frames][-2:] == [
        "run",
        "consume",
    ]
    assert quiet.calls == ["thread"]
    assert rig.source.counts() == {"unhandled": 1, "unraisable": 0, "dropped": 0}


def report(error: BaseException) -> None:
    """Do what the interpreter does with an exception that nobody handled, before any hook."""
    name = "last_exc" if sys.version_info >= (3, 12) else "last_value"
    setattr(sys, name, error)


@pytest.fixture
def main_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Fails in the main program, which is a file of its own, as often as it is called."""
    file = tmp_path / "program.py"
    main = ModuleType("__main__")
    main.__file__ = str(file)
    vars(main)["consume"] = consume
    monkeypatch.setitem(sys.modules, "__main__", main)
    program = compile("consume()", main.__file__, "exec")

    def fail() -> None:
        try:
            exec(program, vars(main))
        except RuntimeError as error:
            traceback = error.__traceback__
            report(error.with_traceback(traceback and traceback.tb_next))  # nobody called it

    yield fail
    for name in ("last_exc", "last_value"):
        if hasattr(sys, name):
            delattr(sys, name)


def test_an_exception_of_the_main_program(
    rig: Rig, quiet: Quiet, main_program: Callable[[], None]
) -> None:
    """As the interpreter reports it before the process ends; once, and no hook is replaced."""
    main_program()

    record = rig.only().record
    assert len(rig.records()) == 1
    attributes = record.attributes
    assert record.thread_id == threading.main_thread().ident
    assert (attributes[names.ENDED], attributes[names.WHERE]) == (names.MAIN_THREAD, "MainThread")
    assert attributes["code.function.name"] == "consume"
    assert sys.excepthook == quiet.main


def test_what_a_console_reports_ends_nothing(
    rig: Rig, main_program: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A typo in a console over the network goes where the console writes, and to no incident."""
    shown: list[str] = []

    class Remote(code.InteractiveConsole):
        def write(self, data: str) -> None:
            shown.append(data)

    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    console = Remote(vars(sys.modules["__main__"]))
    console.runsource("1/0")
    console.runsource("consume()")

    assert "ZeroDivisionError" in "".join(shown)
    assert "RuntimeError" in "".join(shown)
    assert rig.records() == []


def test_what_a_notebook_reports_ends_nothing(rig: Rig, main_program: Callable[[], None]) -> None:
    """A cell is in a file, and in the main program, which has none; but somebody runs the cell."""
    main = vars(sys.modules["__main__"])
    cell = compile("consume()", main.pop("__file__"), "exec")

    try:
        exec(cell, main)
    except RuntimeError as error:
        report(error)

    assert rig.records() == []


@pytest.mark.parametrize("request_to_end", [KeyboardInterrupt, SystemExit])
def test_requests_to_end_are_no_exceptions(
    rig: Rig, quiet: Quiet, request_to_end: type[BaseException]
) -> None:
    """Leaving a thread is no fault; whoever was there before is told."""

    def leave() -> None:
        raise request_to_end

    die(leave)

    assert rig.records() == []
    assert quiet.calls == ["thread"]


def test_a_thread_started_without_threading(rig: Rig, quiet: Quiet) -> None:
    """It ends by its exception as well, which the interpreter calls unraisable."""
    told, ours = threading.Event(), sys.unraisablehook

    def hook(arguments: Any) -> None:
        ours(arguments)
        told.set()

    sys.unraisablehook = hook
    _thread.start_new_thread(consume, ())
    assert told.wait(10)
    sys.unraisablehook = ours

    record = rig.only().record
    assert record.name == event_names.UNHANDLED_EXCEPTION
    assert record.attributes[names.ENDED] == names.THREAD
    assert record.attributes["code.function.name"] == "consume"
    assert quiet.calls == ["finalizer"]


def test_an_exception_of_a_finalizer(rig: Rig, quiet: Quiet) -> None:
    """Recorded at the next tick, under another name: nothing ended."""
    FailsWhenFreed()
    before = [event.record for event in rig.events()]

    record = rig.only().record

    assert before == []
    assert record.name == event_names.UNRAISABLE_EXCEPTION
    assert record.attributes[names.ENDED] == names.FINALIZER
    assert record.attributes[names.WHERE] == "FailsWhenFreed.__del__"
    assert record.attributes["exception.type"] == "OSError"
    assert record.attributes["exception.message"] == "5, left open"
    assert quiet.calls == ["finalizer"]
    assert rig.source.counts() == {"unhandled": 0, "unraisable": 1, "dropped": 0}


def test_a_finalizer_within_a_collection(rig: Rig) -> None:
    """Wherever it runs; its time is when it failed and not when it was written down."""
    cycle: list[Any] = [FailsWhenFreed()]
    cycle.append(cycle)
    del cycle
    before = rig.surroundings.clock.wall_ns()
    gc.collect()
    after = rig.surroundings.clock.wall_ns()

    record = rig.only().record

    assert before - 1_000_000 <= record.start_ns <= after + 1_000_000


def test_finalizers_that_fail_in_masses_are_counted(rig: Rig) -> None:
    """So many wait for the ticker; those on top are dropped."""
    for _ in range(MOST_WAITING + 10):
        FailsWhenFreed()

    assert len(rig.records()) == MOST_WAITING
    assert rig.source.counts()["dropped"] == 10


def run_quietly(main: Any) -> None:
    """Run a coroutine; what asyncio logs goes nowhere."""
    logger = logging.getLogger("asyncio")
    handlers, propagate = list(logger.handlers), logger.propagate
    logger.handlers[:], logger.propagate = [logging.NullHandler()], False
    try:
        asyncio.run(main())
    finally:
        logger.handlers[:], logger.propagate = handlers, propagate


async def consume_later() -> None:
    """Fail in a task."""
    await asyncio.sleep(0)
    consume()


def test_a_task_whose_exception_nobody_retrieved(rig: Rig) -> None:
    """When the task is forgotten: what asyncio says of it, and where it failed."""

    async def main() -> None:
        task = asyncio.ensure_future(consume_later())
        await asyncio.wait([task])

    run_quietly(main)
    gc.collect()

    event = rig.only()
    attributes = event.record.attributes
    assert event.record.name == event_names.UNHANDLED_EXCEPTION
    assert attributes[names.ENDED] == names.TASK
    assert attributes[names.WHERE] == "Task exception was never retrieved"
    assert attributes["code.function.name"] == "consume"
    assert event.stack is not None
    assert event.stack.frames[0].function == "consume_later"


def test_a_callback_that_fails(rig: Rig) -> None:
    """The loop's default handler reports it at once."""

    async def main() -> None:
        asyncio.get_running_loop().call_soon(consume)
        await asyncio.sleep(0)

    run_quietly(main)

    attributes = rig.only().record.attributes
    assert attributes[names.WHERE].startswith("Exception in callback consume()")
    assert attributes["exception.type"] == "RuntimeError"


def test_a_loop_handler_of_the_applications_own(rig: Rig) -> None:
    """It decides what is an error; it is called as ever, and we record nothing."""
    seen: list[dict[str, Any]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: seen.append(context))
        loop.call_soon(consume)
        await asyncio.sleep(0)

    run_quietly(main)

    assert len(seen) == 1
    assert rig.records() == []


def test_a_task_that_is_awaited_is_handled(rig: Rig) -> None:
    """Whoever awaits it has its exception."""

    async def main() -> None:
        with pytest.raises(RuntimeError):
            await asyncio.ensure_future(consume_later())

    run_quietly(main)
    gc.collect()

    assert rig.records() == []


def test_what_else_asyncio_logs_is_none_of_it(rig: Rig) -> None:
    """Slow callbacks, and errors without an exception."""
    asyncio_logger, other = logging.getLogger("asyncio"), logging.getLogger("shop")

    asyncio_logger.warning("Executing %r took %.3f seconds", None, 1.0)
    asyncio_logger.error("Task was destroyed but it is pending!")
    try:
        consume()
    except RuntimeError:
        other.exception("handled")

    assert rig.records() == []


def test_an_exception_belongs_to_the_current_span(rig: Rig) -> None:
    """If one is current where it arrives."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")

    with tracer.start_as_current_span("work") as span:
        threading.excepthook(threading.ExceptHookArgs((KeyError, KeyError("x"), None, None)))

    context, record = span.get_span_context(), rig.only().record
    assert (record.trace_id, record.span_id) == (context.trace_id, context.span_id)


def test_an_exception_whose_text_fails(rig: Rig) -> None:
    """It is recorded, and nothing gets out of the hook."""

    class Hostile(Exception):  # noqa: N818
        def __str__(self) -> str:
            raise ZeroDivisionError

    threading.excepthook(threading.ExceptHookArgs((Hostile, Hostile(), None, None)))

    assert rig.only().record.attributes["exception.message"] == "<no message: ZeroDivisionError>"


def test_hooks_are_restored(rig: Rig, quiet: Quiet) -> None:
    """All of them, and only once."""
    rig.source.stop()
    rig.source.stop()

    assert sys.excepthook == quiet.main
    assert threading.excepthook == quiet.thread
    assert sys.unraisablehook == quiet.finalizer
    die()
    assert rig.records() == []


def test_a_hook_set_later_is_left_alone(rig: Rig, quiet: Quiet) -> None:
    """Who replaced ours stays, and calls through what is left of it."""
    ours = threading.excepthook
    later: list[Any] = []

    def hook(arguments: Any) -> None:
        later.append(arguments)
        ours(arguments)

    threading.excepthook = hook
    rig.source.stop()
    die()

    assert threading.excepthook is hook
    assert len(later) == 1
    assert quiet.calls == ["thread"]
    assert rig.records() == []


def test_nothing_is_kept_alive(rig: Rig) -> None:
    """Neither the exception nor what its frames hold."""

    class Held:
        pass

    def fail() -> None:
        held = Held()
        references.append(weakref.ref(held))
        consume()

    references: list[weakref.ref[Held]] = []
    die(fail)
    gc.collect()

    assert len(rig.records()) == 1
    assert references[0]() is None
