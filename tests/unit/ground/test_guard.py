"""The guard: what it swallows, what it lets through, and what it says."""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

from otel_flight.ground.guard import Guard


class HostTimeoutError(Exception):
    """What a job runner throws into a job from its signal handler."""


def fail(message: str = "no good") -> None:
    """Raise from a frame that is not the test's."""
    raise ValueError(message)


def note_failure(guard: Guard, place: str, error: BaseException) -> None:
    """Guard a block that fails, the way a hot entry does."""

    def hook() -> None:
        raise error

    try:
        hook()
    except Exception as caught:  # noqa: BLE001
        guard.note(place, caught)


@contextmanager
def handled(number: signal.Signals, handler: Callable[..., object]) -> Iterator[None]:
    """Install a signal handler for a while."""
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


class TestNoting:
    """What is remembered."""

    def test_the_first_error_of_a_place_is_remembered_and_all_are_counted(self) -> None:
        """Type, message and origin are those of the first error; later ones only count."""
        guard = Guard()

        for message in ("first", "second"):
            try:
                fail(message)
            except ValueError as error:
                guard.note("on_end", error)
        note_failure(guard, "on_start", KeyError("third"))

        on_end, on_start = guard.errors()
        assert (on_end.place, on_end.count) == ("on_end", 2)
        assert (on_end.error, on_end.message) == ("builtins.ValueError", "first")
        assert on_end.where == f"{__file__}:{fail.__code__.co_firstlineno + 2} in fail"
        assert (on_start.place, on_start.count, on_start.message) == ("on_start", 1, "third")

    def test_a_guard_without_errors_has_nothing_to_tell(self) -> None:
        """Nothing failed, nothing is noted."""
        assert Guard().errors() == ()

    def test_neither_the_error_nor_what_its_frames_hold_is_kept_alive(self) -> None:
        """The host's objects die when the host lets go of them, without a collection's help."""

        class Held(Exception):  # noqa: N818
            pass

        def hook(guard: Guard) -> weakref.ref[Held]:
            error = Held("it", object())
            reference = weakref.ref(error)
            try:
                raise error
            except Held as caught:
                guard.note("on_end", caught)
            finally:
                del error
            return reference

        gc.disable()
        try:
            guard = Guard()
            assert hook(guard)() is None
        finally:
            gc.enable()
        assert guard.errors()[0].message == "it, <object>"

    def test_no_code_of_the_host_runs(self) -> None:
        """An error's own `__str__` or `__repr__` may take a lock that is held right here."""
        calls: list[str] = []

        class Chatty(Exception):  # noqa: N818
            def __str__(self) -> str:
                calls.append("str")
                return "text"

            __repr__ = __str__

        guard = Guard()
        note_failure(guard, "on_end", Chatty(Chatty("inner"), 5, None))

        assert calls == []
        assert guard.errors()[0].message == "<Chatty>, 5, None"

    def test_what_is_remembered_is_bounded(self) -> None:
        """Neither a huge message nor very many places make the guard grow."""
        guard = Guard()

        note_failure(guard, "huge", ValueError("x" * 1_000_000))
        for number in range(1000):
            note_failure(guard, f"place {number}", ValueError())

        errors = guard.errors()
        assert len(errors[0].message) <= 300
        assert len(errors) <= 65
        assert errors[-1].place == "(other places)"
        assert sum(error.count for error in errors) == 1001

    def test_no_error_is_lost_between_threads(self) -> None:
        """Eight threads that fail at one place at once are counted exactly."""
        guard = Guard()
        start = threading.Barrier(8)

        def work() -> None:
            start.wait()
            for _ in range(2000):
                note_failure(guard, "on_end", ValueError())

        threads = [threading.Thread(target=work) for _ in range(8)]
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(interval)

        assert guard.errors()[0].count == 16_000


class TestSwallowing:
    """What gets through, and what does not."""

    @pytest.mark.parametrize(
        "error", [ValueError(), MemoryError(), RecursionError(), TimeoutError(), StopIteration()]
    )
    def test_an_exception_is_swallowed(self, error: Exception) -> None:
        """Whatever goes wrong in our code ends there, also running out of memory or stack."""
        guard = Guard()

        note_failure(guard, "on_end", error)
        with guard.swallow("shutdown"):
            raise error

        assert [each.place for each in guard.errors()] == ["on_end", "shutdown"]

    @pytest.mark.parametrize(
        "request_to_stop",
        [KeyboardInterrupt, SystemExit, asyncio.CancelledError, GeneratorExit],
    )
    def test_a_request_to_stop_gets_through(self, request_to_stop: type[BaseException]) -> None:
        """Someone else's request to stop only happens to arrive in our code."""
        guard = Guard()

        with pytest.raises(request_to_stop), guard.swallow("shutdown"):
            raise request_to_stop
        with pytest.raises(request_to_stop):
            guard.note("on_end", request_to_stop())

        assert guard.errors() == ()

    def test_a_block_that_succeeds_is_not_touched(self) -> None:
        """Without an error, the block and the function behave as without the guard."""
        guard = Guard()

        @guard.swallow("double")
        def double(number: int) -> int:
            return 2 * number

        with guard.swallow("block"):
            result = double(4)

        assert result == 8
        assert guard.errors() == ()

    def test_a_guarded_function_fails_quietly(self) -> None:
        """As a decorator, the guard turns an error into None, each time the function is called."""
        guard = Guard()
        quiet = guard.swallow("fail")(fail)

        quiet("once")
        quiet("twice")

        assert guard.errors()[0].count == 2
        assert guard.errors()[0].message == "once"

    def test_running_out_of_stack_in_a_hook_does_not_reach_the_host(self) -> None:
        """A hook that exhausts the stack is unwound and noted, and the host goes on."""
        guard = Guard()

        def endless() -> None:
            endless()

        try:
            endless()
        except Exception as error:  # noqa: BLE001
            guard.note("on_end", error)

        assert guard.errors()[0].error == "builtins.RecursionError"


class TestSignalHandlersOfTheHost:
    """Exceptions thrown by a signal handler that interrupted our code belong to the host."""

    class Runner:
        """A job runner with its handler as a method, as RQ has it."""

        def time_out(self, number: int, frame: FrameType | None) -> None:
            """Stop the job."""
            raise HostTimeoutError

        def __call__(self, number: int, frame: FrameType | None) -> None:
            """Stop the job."""
            raise HostTimeoutError

    @staticmethod
    def time_out(number: int, frame: FrameType | None) -> None:
        """Stop the job, from a function below the handler."""
        TestSignalHandlersOfTheHost.Runner().time_out(number, frame)

    @pytest.mark.parametrize(
        "handler",
        [
            time_out,
            Runner().time_out,
            Runner(),
            functools.partial(Runner().time_out),
        ],
        ids=["function", "method", "instance", "partial"],
    )
    def test_a_time_limit_thrown_into_our_code_gets_through(
        self, handler: Callable[..., object]
    ) -> None:
        """A plain exception from the host's handler is raised again, or the job would never end."""
        guard = Guard()

        def hook() -> None:
            try:
                os.kill(os.getpid(), signal.SIGUSR1)
            except Exception as error:  # noqa: BLE001
                guard.note("on_end", error)

        with handled(signal.SIGUSR1, handler):
            with pytest.raises(HostTimeoutError):
                hook()
            with pytest.raises(HostTimeoutError), guard.swallow("block"):
                os.kill(os.getpid(), signal.SIGUSR1)

        assert guard.errors() == ()

    def test_the_same_exception_from_elsewhere_is_swallowed(self) -> None:
        """It is the handler in the traceback that counts, not the type of the exception."""
        guard = Guard()

        with handled(signal.SIGUSR1, self.Runner().time_out):
            note_failure(guard, "on_end", HostTimeoutError())

        assert guard.errors()[0].count == 1

    def test_an_error_from_an_enumeration_is_not_taken_for_a_handlers(self) -> None:
        """`signal.SIG_DFL` is an enumeration member, whose class has a `__call__` of its own."""
        guard = Guard()

        try:
            signal.Signals(-5)
        except ValueError as error:
            guard.note("on_end", error)

        assert guard.errors()[0].count == 1

    def test_a_signal_handler_can_note_while_it_interrupts_a_note(self) -> None:
        """Notes from a handler that interrupts other notes neither deadlock nor get lost."""
        guard = Guard()
        interrupted = 0

        def handler(number: int, frame: FrameType | None) -> None:
            nonlocal interrupted
            interrupted += 1
            note_failure(guard, "on_end", ValueError("from the handler"))

        give_up = time.monotonic() + 10
        noted = 0
        with handled(signal.SIGVTALRM, handler):
            signal.setitimer(signal.ITIMER_VIRTUAL, 0.0005, 0.0005)
            try:
                while interrupted < 20 and time.monotonic() < give_up:
                    note_failure(guard, "on_end", ValueError("interrupted"))
                    noted += 1
            finally:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)

        assert interrupted >= 20
        assert guard.errors()[0].count == noted + interrupted

    def test_a_collection_can_note_while_it_interrupts_a_note(self) -> None:
        """Notes from garbage collection inside other notes neither deadlock nor get lost."""
        guard = Guard()
        collections = 0

        def callback(phase: str, info: dict[str, int]) -> None:
            nonlocal collections
            collections += 1
            note_failure(guard, "gc", ValueError(phase))

        thresholds = gc.get_threshold()
        gc.callbacks.append(callback)
        gc.set_threshold(1, 1_000_000, 1_000_000)  # the youngest only, which is quick
        try:
            for number in range(30):
                note_failure(guard, f"place {number % 3}", ValueError([number]))
        finally:
            gc.set_threshold(*thresholds)
            gc.callbacks.remove(callback)

        counts = {error.place: error.count for error in guard.errors()}
        assert counts.pop("gc") == collections > 0
        assert sum(counts.values()) == 30


class TestReporting:
    """What is said, and when."""

    def test_noting_logs_nothing(self, caplog: pytest.LogCaptureFixture) -> None:
        """The hot path never logs; a handler of the host may block."""
        note_failure(Guard(), "on_end", ValueError())

        assert caplog.records == []

    def test_each_place_is_reported_once(self, caplog: pytest.LogCaptureFixture) -> None:
        """One warning names the place and its first error; after that there is silence."""
        guard = Guard()

        note_failure(guard, "on_end", ValueError("first"))
        note_failure(guard, "on_end", ValueError("second"))
        guard.report()
        note_failure(guard, "on_end", ValueError("third"))
        guard.report()
        note_failure(guard, "on_start", ValueError("other place"))
        guard.report()

        assert [(record.name, record.levelno) for record in caplog.records] == [
            ("otel_flight", logging.WARNING),
            ("otel_flight", logging.WARNING),
        ]
        first, second = caplog.messages
        assert "on_end" in first
        assert "builtins.ValueError: first" in first
        assert "2 so far" in first
        assert "on_start" in second

    def test_a_log_handler_that_fails_does_not_stop_the_ticker(self) -> None:
        """The application's log handlers may raise; reporting swallows that too."""

        class Failing(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                raise OSError("disk full")

        guard = Guard()
        note_failure(guard, "on_end", ValueError())
        handler = Failing()
        logging.getLogger("otel_flight").addHandler(handler)
        try:
            guard.report()
        finally:
            logging.getLogger("otel_flight").removeHandler(handler)

        assert [error.place for error in guard.errors()] == ["on_end", "report"]
