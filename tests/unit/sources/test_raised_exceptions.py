"""The source of exceptions raised within requests: real ones, from Python 3.12 on."""

from __future__ import annotations

import gc
import logging
import sys
import threading
import traceback
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest
from opentelemetry.sdk.trace import TracerProvider

from otel_flight.interpreter.recursion import IS_GUARDED
from otel_flight.names import exception_attributes as names
from otel_flight.records.records import RuntimeEvent
from otel_flight.sources import raised_exceptions
from otel_flight.sources.raised_exceptions import MOST_WAITING, RaisedExceptions
from otel_flight.testing import FakeClock
from tests.support.rigs.source_rig import SourceRig

needs_monitoring = pytest.mark.skipif(
    sys.version_info < (3, 12) or not IS_GUARDED,
    reason="sys.monitoring is new in Python 3.12, and the source needs its C extension",
)
monitoring: Final[Any] = getattr(sys, "monitoring", None)
tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")


class Rig(SourceRig):
    """A source, and requests that raise."""

    def __init__(self, directory: Path) -> None:
        self.clock = FakeClock()
        super().__init__(directory, self.clock, raised_exceptions=True)
        self.source = RaisedExceptions(self.surroundings)

    def request(self, work: Callable[[], object]) -> tuple[int, int]:
        """Do something while a span is current; return its ids."""
        with tracer.start_as_current_span("GET /") as span:
            work()
        context = span.get_span_context()
        return context.trace_id, context.span_id

    def records(self) -> list[RuntimeEvent]:
        """Return what was recorded, once it is old enough."""
        for _ in range(2):
            self.clock.advance(0.1)
            self.source.tick()
        return [event.record for event in self.events()]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A started source."""
    rig = Rig(tmp_path / "ring")
    rig.source.start()
    yield rig
    rig.source.stop()
    rig.close()


def look_up(key: object = "x") -> None:
    """Raise."""
    dict[object, int]()[key]


def swallow() -> None:
    """Catch what another function raised, and say nothing."""
    try:
        look_up()
    except KeyError:
        pass


def clean_up() -> None:
    """Look as if it handled the exception, on its way through."""
    try:
        look_up()
    except ValueError:
        pass
    finally:
        gc.isenabled()


def swallow_far_above() -> None:
    """Catch what came through a `finally`."""
    with suppress(KeyError):
        clean_up()


def translate() -> None:
    """Raise another exception from the first."""
    try:
        look_up()
    except KeyError as error:
        raise RuntimeError("no order") from error


def swallow_translated() -> None:
    """Catch the second one."""
    try:
        translate()
    except RuntimeError:
        pass


def line_of(function: Any, offset: int) -> int:
    """Return a line of a function."""
    line: int = function.__code__.co_firstlineno + offset
    return line


@needs_monitoring
def test_a_swallowed_exception_is_recorded(rig: Rig) -> None:
    """In its span, with where it was raised, by which call, and where it ended."""
    ids = rig.request(swallow)

    (record,) = rig.records()
    assert (record.source, record.name) == ("exceptions", "raised exception")
    assert (record.trace_id, record.span_id) == ids
    assert record.thread_id == threading.get_ident()
    assert record.attributes == {
        "exception.type": "KeyError",
        "exception.message": "x",
        "code.function.name": "look_up",
        "code.file.path": __file__,
        "code.line.number": line_of(look_up, 2),
        names.CAUGHT: True,
        names.CAUGHT_IN: f"swallow ({__file__}:{line_of(swallow, 3)})",
    }


@needs_monitoring
def test_a_finally_and_another_except_catch_nothing(rig: Rig) -> None:
    """Only the handler that ends it counts, here that of a context manager."""
    rig.request(swallow_far_above)

    (record,) = rig.records()
    assert record.attributes[names.CAUGHT_IN].startswith("swallow_far_above (")


@needs_monitoring
def test_an_exception_that_leaves_the_request(rig: Rig) -> None:
    """It is caught where the test catches it; while it is on its way, nobody has caught it."""
    with pytest.raises(KeyError), tracer.start_as_current_span("GET /"):
        clean_up()

    (record,) = rig.records()
    assert record.attributes["code.function.name"] == "look_up"
    assert record.attributes["exception.type"] == "KeyError"


@needs_monitoring
def test_an_exception_raised_from_another(rig: Rig) -> None:
    """Both are there, each with where it was caught."""
    rig.request(swallow_translated)

    first, second = rig.records()
    assert first.attributes[names.CAUGHT_IN].startswith("translate (")
    assert second.attributes["exception.type"] == "RuntimeError"
    assert second.attributes[names.CAUGHT_IN].startswith("swallow_translated (")


@needs_monitoring
def test_outside_of_requests_nothing_is_recorded(rig: Rig) -> None:
    """However much is raised there."""
    swallow()

    assert rig.records() == []


@needs_monitoring
def test_the_ends_of_iterations_are_none(rig: Rig) -> None:
    """Nor are requests to end."""

    def work() -> None:
        next(iter(()), None)
        for kind in (StopIteration, GeneratorExit, KeyboardInterrupt):
            with suppress(kind):
                raise kind

    rig.request(work)

    assert rig.records() == []


@needs_monitoring
def test_a_loop_that_raises_is_one_event(rig: Rig) -> None:
    """With how often; another span has its own."""

    def work() -> None:
        for _ in range(1000):
            swallow()

    rig.request(work)
    rig.request(swallow)

    first, second = rig.records()
    assert first.attributes[names.TIMES] == 1000
    assert names.TIMES not in second.attributes


@needs_monitoring
def test_many_places_at_once_are_bounded(rig: Rig) -> None:
    """So many between two ticks; what comes on top is left out."""

    def work() -> None:
        for _ in range(2 * MOST_WAITING):
            rig.request(swallow)

    work()

    assert len(rig.records()) == MOST_WAITING


@needs_monitoring
def test_what_was_raised_last_is_recorded_at_the_end(rig: Rig) -> None:
    """One tick after the stop is all there is."""
    rig.request(swallow)
    rig.source.stop()
    rig.source.tick()

    assert len(rig.events()) == 1


@needs_monitoring
def test_no_code_of_the_application_runs(rig: Rig) -> None:
    """The callbacks come in finalizers as well: only plain arguments are shown."""
    calls: list[str] = []

    class Argument:
        def __str__(self) -> str:
            calls.append("str")
            return ""

        __repr__ = __str__

    def work() -> None:
        with suppress(ValueError):
            raise ValueError(Argument(), 7)

    rig.request(work)

    (record,) = rig.records()
    assert record.attributes["exception.message"] == "<Argument>, 7"
    assert calls == []


@needs_monitoring
def test_nothing_is_kept_alive(rig: Rig) -> None:
    """Not even until the next tick."""

    class Failure(Exception):  # noqa: N818
        pass

    references: list[weakref.ref[Failure]] = []

    def work() -> None:
        try:
            raise Failure
        except Failure as error:
            references.append(weakref.ref(error))

    rig.request(work)
    gc.collect()

    assert references[0]() is None


@needs_monitoring
def test_the_tool_id_is_given_back(rig: Rig) -> None:
    """And taken anew at the next start; no callback is left behind."""
    taken = [tool_id for tool_id in range(6) if monitoring.get_tool(tool_id) == "otel-flight"]

    rig.source.stop()
    rig.source.stop()

    assert len(taken) == 1
    assert monitoring.get_tool(taken[0]) is None
    rig.request(swallow)
    assert rig.records() == []
    rig.source.start()
    rig.request(swallow)
    assert len(rig.records()) == 1


@needs_monitoring
def test_other_tools_are_left_alone(rig: Rig) -> None:
    """When they have taken the ids, nothing is recorded, with one warning."""
    warnings = listen_to_warnings()
    rig.source.stop()
    for tool_id in (3, 4):
        monitoring.use_tool_id(tool_id, "other")
    raised_exceptions._warned.clear()
    try:
        rig.source.start()
        rig.source.start()
        rig.request(swallow)
    finally:
        for tool_id in (3, 4):
            monitoring.free_tool_id(tool_id)
        stop_listening(warnings)

    assert rig.records() == []
    (warning,) = warnings.records
    assert warning.getMessage() == (
        "otel-flight does not record raised exceptions: other tools have taken the tool ids 3 and "
        "4 of sys.monitoring."
    )


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="this Python has sys.monitoring")
def test_below_python_3_12_it_is_a_warning_and_nothing_else(rig: Rig) -> None:
    """One warning, however often it is started; everything works."""
    warnings = listen_to_warnings()
    raised_exceptions._warned.clear()

    rig.source.start()
    rig.source.start()
    rig.request(swallow)
    stop_listening(warnings)

    assert rig.records() == []
    assert [record.getMessage() for record in warnings.records] == [
        "otel-flight does not record raised exceptions: they need Python 3.12 or newer."
    ]


class Kept(logging.Handler):
    """Keeps the records it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.records.append(record)


def listen_to_warnings() -> Kept:
    """Keep what this package logs from now on."""
    kept = Kept()
    logging.getLogger("otel_flight").addHandler(kept)
    return kept


def stop_listening(kept: Kept) -> None:
    """Take the handler out."""
    logging.getLogger("otel_flight").removeHandler(kept)


def recurse() -> None:
    """Call itself, as often as it may."""
    recurse()


def functions_in(error: BaseException) -> list[str]:
    """Return the functions that an exception came through."""
    return [frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)]


@needs_monitoring
def test_recursion_without_end_is_the_programs_own_error(rig: Rig) -> None:
    """Where no function can be called any more, ours cannot be either: nothing comes of that."""
    seen: list[RecursionError] = []

    def work() -> None:
        try:
            recurse()
        except RecursionError as error:
            seen.append(error)

    rig.request(work)
    rig.source.stop()
    work()

    recorded, plain = seen
    assert {*functions_in(recorded)} == {*functions_in(plain)} == {"work", "recurse"}
    assert (recorded.__context__, str(recorded)) == (None, str(plain))
    seen.clear()
