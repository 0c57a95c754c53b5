"""The source of log records, with the records that `logging` really makes."""

from __future__ import annotations

import gc
import logging
import logging.config
import logging.handlers
import queue
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from otel_flight.ground.native import Thread
from otel_flight.incidents.window import WindowEvent
from otel_flight.names.log_attributes import LEFT_OUT, LEVEL, LOGGER, MESSAGE, SEVERITY
from otel_flight.sources.log_records import LONGEST_MESSAGE, SOURCE
from otel_flight.testing import FakeClock
from tests.support.rigs.source_rig import SourceRig

AUDIT = 35


class Log:
    """A started source, and loggers that pytest's own handlers know nothing of.

    Attributes:
        parent: the root of their hierarchy.
        logger: passes its records on to it.
    """

    def __init__(self, directory: Path, **settings: Any) -> None:
        self.clock = FakeClock()
        self.rig = SourceRig(directory, self.clock, **settings)
        self.source = self.rig.build(SOURCE)
        self.parent = logging.RootLogger(logging.DEBUG)
        self.logger = logging.Manager(self.parent).getLogger("shop.orders")
        self.source.start()

    def close(self) -> None:
        """Stop."""
        self.source.stop()
        self.rig.close()

    def events(self) -> list[WindowEvent]:
        """Return what was recorded."""
        return self.rig.events()

    def messages(self) -> list[str]:
        """Return the messages of what was recorded."""
        return [event.record.attributes[MESSAGE] for event in self.events()]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """Records from WARNING on, the default."""
    log = Log(tmp_path / "ring")
    yield log
    log.close()


class Counting:
    """Counts how often it is formatted."""

    def __init__(self) -> None:
        self.times = 0

    def __str__(self) -> str:
        self.times += 1
        return "formatted"


def test_a_record_is_recorded_with_where_it_was_logged(log: Log) -> None:
    """Its message, logger, level, time, thread, and the line of the program."""
    before = time.time_ns()

    log.logger.warning("order %d is late by %s", 7, "2s")

    (event,) = log.events()
    record = event.record
    assert (record.source, record.name) == ("logs", "log record")
    assert record.thread_id == threading.get_ident()
    assert before - 1000 <= record.start_ns <= time.time_ns()
    assert record.end_ns == record.start_ns
    assert record.attributes == {
        LOGGER: "shop.orders",
        LEVEL: logging.WARNING,
        SEVERITY: "WARNING",
        MESSAGE: "order 7 is late by 2s",
        "code.function.name": "test_a_record_is_recorded_with_where_it_was_logged",
        "code.file.path": __file__,
        "code.line.number": record.attributes["code.line.number"],
    }
    assert (record.trace_id, record.span_id) == (0, 0)
    assert event.stack is None


def test_a_record_belongs_to_the_current_span(log: Log) -> None:
    """With both ids, as the log call saw them."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")

    with tracer.start_as_current_span("work") as span:
        log.logger.error("no")

    context = span.get_span_context()
    (event,) = log.events()
    assert (event.record.trace_id, event.record.span_id) == (context.trace_id, context.span_id)


def test_an_exception_is_recorded_with_its_stack_and_chain(log: Log) -> None:
    """What it is, what it came from, and where, without the text of a traceback."""
    try:
        try:
            dict[str, int]()["x"]
        except KeyError as error:
            raise RuntimeError("no order") from error
    except RuntimeError:
        log.logger.exception("failed")

    (event,) = log.events()
    attributes = event.record.attributes
    assert attributes["exception.type"] == "RuntimeError"
    assert attributes["exception.message"] == "no order"
    assert attributes["flight_recorder.exception.chain"][0].startswith("KeyError: 'x' in test_an_")
    assert event.stack is not None
    assert event.stack.frames[-1].file == __file__


def test_an_exception_that_is_none(log: Log) -> None:
    """`exc_info` outside of an exception's handling, and one that is nothing of the kind."""
    log.logger.error("no exception", exc_info=True)  # noqa: LOG014
    log.logger.handle(
        logging.makeLogRecord({"levelno": 40, "msg": "odd", "exc_info": ("a", "b", 0)})
    )

    assert log.messages() == ["no exception", "odd"]
    assert all("exception.type" not in event.record.attributes for event in log.events())


def test_records_below_the_level_are_left_out(log: Log) -> None:
    """The level of the setting, besides those of the loggers."""
    log.logger.debug("debug")
    log.logger.info("info")
    log.logger.setLevel(logging.ERROR)
    log.logger.warning("below its logger's level")
    log.logger.error("error")

    assert log.messages() == ["error"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"log_level": "INFO"}, ["info", "warning", "error"]),
        ({"log_level": "ERROR"}, ["error"]),
        ({"log_level": "ERROR", "log_trigger_level": "WARNING"}, ["warning", "error"]),
        ({"log_level": None, "log_trigger_level": "ERROR"}, ["error"]),
    ],
)
def test_the_lower_of_both_levels_counts(
    settings: dict[str, Any], expected: list[str], tmp_path: Path
) -> None:
    """What makes an incident is in it."""
    log = Log(tmp_path / "ring", **settings)

    for name in ("debug", "info", "warning", "error"):
        getattr(log.logger, name)(name)

    assert log.messages() == expected
    log.close()


def test_a_level_of_the_applications_own(tmp_path: Path) -> None:
    """It can be named in the setting, and its name is the severity."""
    logging.addLevelName(AUDIT, "AUDIT")
    log = Log(tmp_path / "ring", log_level="AUDIT")

    log.logger.warning("no")
    log.logger.log(AUDIT, "yes")

    (event,) = log.events()
    assert event.record.attributes[SEVERITY] == "AUDIT"
    log.close()


def test_loggers_that_do_not_propagate_are_seen(log: Log) -> None:
    """Where no handler of the root logger would get the record; and no record is seen twice."""
    log.logger.propagate = False
    try:
        log.logger.warning("alone")
    finally:
        log.logger.propagate = True
    log.logger.warning("with its parent")

    assert log.messages() == ["alone", "with its parent"]


def test_dict_config_takes_nothing_away(log: Log) -> None:
    """New handlers for the root logger and others: records of enabled loggers go on being seen."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    kept, disabled = logging.getLogger("kept"), logging.getLogger("left.out")
    try:
        logging.config.dictConfig(
            {
                "version": 1,
                "disable_existing_loggers": True,
                "handlers": {"null": {"class": "logging.NullHandler"}},
                "loggers": {"kept": {"handlers": ["null"], "propagate": False}},
                "root": {"handlers": ["null"], "level": "ERROR"},
            }
        )
        kept.error("kept")
        disabled.error("disabled by the configuration")
        logging.getLogger("made.afterwards").error("after")
    finally:
        root.handlers[:], root.level = handlers, level
        kept.handlers.clear()
        kept.propagate = True
        for name in list(logging.root.manager.loggerDict):
            logging.getLogger(name).disabled = False

    assert log.messages() == ["kept", "after"]


def test_what_a_loggers_filter_keeps_back_is_not_recorded(log: Log) -> None:
    """Filters hide what must not get out."""
    log.logger.addFilter(lambda record: "secret" not in record.getMessage())

    log.logger.warning("a secret")
    log.logger.warning("no more")

    assert log.messages() == ["no more"]


def test_a_message_is_formatted_once(log: Log) -> None:
    """The text of the handler that formats it is used."""
    log.parent.addHandler(handler := logging.handlers.MemoryHandler(1, target=None))
    handler.setFormatter(logging.Formatter("%(message)s"))
    formatted: list[str] = []
    handler.emit = lambda record: formatted.append(handler.format(record))  # type: ignore[method-assign]
    argument = Counting()

    log.logger.warning("it is %s", argument)

    assert formatted == log.messages() == ["it is formatted"]
    assert argument.times == 1


def test_without_a_handler_the_message_is_formatted_here(log: Log) -> None:
    """As of a library that has a handler which does nothing."""
    log.parent.addHandler(logging.NullHandler())
    argument = Counting()

    log.logger.warning("it is %s", argument)

    assert log.messages() == ["it is formatted"]
    assert argument.times == 1


def test_a_queue_handler_is_no_trouble(log: Log) -> None:
    """It puts records into shape for another thread, the message included."""
    records: queue.SimpleQueue[Any] = queue.SimpleQueue()
    log.parent.addHandler(logging.handlers.QueueHandler(records))

    log.logger.warning("%s of %s", 1, 2)

    assert log.messages() == ["1 of 2"]
    assert records.get_nowait().getMessage() == "1 of 2"


@pytest.mark.parametrize(
    ("message", "arguments", "expected"),
    [
        ("%d", ("no number",), "%d <not formatted: TypeError>"),
        ("%s %s", (1,), "%s %s <not formatted: TypeError>"),
        ({"event": "paid"}, (), "{'event': 'paid'}"),
        (None, (), "None"),
        ("half \ud800", (), "half \\ud800"),
    ],
)
def test_odd_messages(log: Log, message: Any, arguments: tuple[Any, ...], expected: str) -> None:
    """Whatever is logged, something is recorded and nothing raised."""
    log.parent.addHandler(logging.NullHandler())

    log.logger.warning(message, *arguments)

    assert log.messages() == [expected]


def test_an_argument_that_raises_when_formatted(log: Log) -> None:
    """The record is there all the same, and says so; the application does not notice."""

    class Raising:
        def __str__(self) -> str:
            raise ZeroDivisionError

    log.parent.addHandler(logging.NullHandler())

    log.logger.warning("value: %s", Raising())

    assert log.messages() == ["value: %s <not formatted: ZeroDivisionError>"]


def test_an_argument_that_logs_when_formatted(log: Log) -> None:
    """What is logged while we record is left out: it would go on for ever."""

    class Logging:
        def __str__(self) -> str:
            log.logger.warning("formatting %s", Logging())
            return "text"

    log.parent.addHandler(logging.NullHandler())

    log.logger.warning("value: %s", Logging())
    log.logger.warning("next")

    assert log.messages() == ["value: text", "next"]


def test_a_handler_that_logs_is_recorded(log: Log) -> None:
    """What other code logs meanwhile is the application's own, and comes first."""

    class Chatty(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name == "shop.orders":
                log.parent.error("from the handler")

    log.parent.addHandler(Chatty())

    log.logger.warning("from the program")

    assert log.messages() == ["from the handler", "from the program"]


@pytest.mark.parametrize("name", ["otel_flight", "otel_flight.delivery"])
def test_our_own_log_is_left_out(log: Log, name: str) -> None:
    """An incident must not make the next one."""
    logging.getLogger(name).error("could not deliver")
    logging.getLogger("otel_flight_of_another_kind").error("somebody else's")

    assert log.messages() == ["somebody else's"]


def test_what_is_logged_on_our_threads_is_left_out(log: Log) -> None:
    """As an exporter does that cannot reach its receiver for us."""

    def work() -> None:
        log.logger.error("connection refused")

    own, other = Thread(work, "otel-flight-worker"), threading.Thread(target=work)
    own.start()
    assert own.join(10)
    other.start()
    other.join()

    assert log.messages() == ["connection refused"]


def test_long_messages_are_cut(log: Log) -> None:
    """And say by how much."""
    log.logger.warning("x" * 1_000_000)
    log.logger.warning("ö" * LONGEST_MESSAGE)

    cut, whole = log.messages()
    assert cut == f"{'x' * LONGEST_MESSAGE}…[+{1_000_000 - LONGEST_MESSAGE} characters]"
    assert whole == "ö" * LONGEST_MESSAGE


def test_a_flood_leaves_room_for_others(log: Log) -> None:
    """What is more than this source's share is left out, and an event says how much."""
    log.parent.addHandler(logging.NullHandler())
    for number in range(20_000):
        log.logger.warning("flood %d", number)
    log.clock.advance(1)
    log.source.tick()
    log.clock.advance(1)
    log.source.tick()
    log.logger.warning("later")

    events = log.events()
    counts = log.source.counts()
    said = [event.record for event in events if event.record.name == "log records left out"]
    assert [record.attributes[LEFT_OUT] for record in said] == [counts["left_out"]]
    assert counts["records"] + counts["left_out"] == 20_001
    assert 1000 < counts["records"] < 4000
    assert events[-1].record.attributes[MESSAGE] == "later"
    evicted = log.rig.session.lanes[1].counts().evicted_records
    assert evicted == 0


def test_nothing_is_kept_alive(log: Log) -> None:
    """Neither the record nor its arguments."""
    log.parent.addHandler(logging.NullHandler())
    argument = Counting()
    reference = weakref.ref(argument)

    log.logger.warning("it is %s", argument)
    del argument
    gc.collect()

    assert reference() is None


def test_many_threads_at_once(log: Log) -> None:
    """Each record is there once."""

    def work(number: int) -> None:
        for position in range(50):
            log.logger.warning("%d.%d", number, position)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    expected = {f"{number}.{position}" for number in range(8) for position in range(50)}
    assert sorted(log.messages()) == sorted(expected)


def test_a_record_without_times_or_names_is_odd_but_recorded(log: Log) -> None:
    """As one that came from another process may be."""
    log.logger.handle(logging.makeLogRecord({"levelno": 40, "levelname": "ERROR", "msg": "far"}))

    assert log.messages() == ["far"]


def test_after_the_stop_nothing_is_recorded(log: Log) -> None:
    """And `logging` is as it was."""
    log.source.stop()
    log.source.stop()

    log.logger.error("no")

    assert log.events() == []


def test_a_failure_of_ours_is_noted_and_goes_no_further(tmp_path: Path) -> None:
    """The application's log call returns as ever."""
    log = Log(tmp_path / "ring")
    record = logging.makeLogRecord({"levelno": 40, "msg": "no", "created": "yesterday"})

    log.logger.handle(record)

    assert [error.place for error in log.rig.guard.errors()] == ["logs"]
    log.source.stop()
    log.rig.session.close()


def test_the_current_span_may_be_somebody_elses(log: Log) -> None:
    """A parent in another process is current where no span was started here: its ids are kept."""
    context = trace.SpanContext(5, 6, is_remote=True)

    with trace.use_span(trace.NonRecordingSpan(context)):
        log.logger.warning("early")

    (event,) = log.events()
    assert (event.record.trace_id, event.record.span_id) == (5, 6)
