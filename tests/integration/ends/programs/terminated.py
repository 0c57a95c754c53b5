"""Is sent SIGTERM by itself, or by the test when it has said `ready`, in one of several states.

Arguments: the state, and who records: `plain` for nobody, `main` where the first span is on the
main thread, `thread` where it is on another one. An incident is open when the signal comes.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import StatusCode

import otel_flight
from otel_flight.ground import native

STATE, WHO = sys.argv[1:3]


def record() -> None:
    """Make an incident, and leave it open."""
    provider = TracerProvider(shutdown_on_exit=False)
    otel_flight.install(tracer_provider=provider, tail_seconds=60, export="off")

    def fail() -> None:
        span = provider.get_tracer("test").start_span("failing")
        span.set_status(StatusCode.ERROR)
        span.end()

    if WHO == "thread":
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
    else:
        fail()


def ready() -> None:
    """Say so, with the time that it is."""
    print("ready", flush=True)


def wait_in_c() -> None:
    """Wait for a database that is locked; the main thread comes back after some time."""
    path = Path(os.environ["OTEL_FLIGHT_SPOOL_DIRECTORY"]).with_name("database")
    with sqlite3.connect(path) as first:
        first.execute("create table rows(id)")
    first.execute("begin exclusive")
    ready()
    sqlite3.connect(path, timeout=20).execute("insert into rows values (1)")


def hold_the_gil() -> None:
    """Let no other thread run Python code."""
    ready()
    ctypes.PyDLL(None).sleep(20)


def wait_for_a_lock() -> None:
    """Wait for a thread that never ends."""
    ready()
    threading.Event().wait(20)


def run_into_a_limit() -> None:
    """Be where no thread can be started any more."""

    def refuse(thread: object) -> None:
        raise RuntimeError("can't start new thread")

    threading.Thread.start = native.Thread.start = refuse  # type: ignore[method-assign,assignment]
    ready()
    time.sleep(20)


def handle(act: Callable[[object, int, FrameType | None], None]) -> None:
    """Have a handler of its own that asks for the one before."""
    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, lambda number, frame: act(before, number, frame))
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.1)
    sys.exit(7)


def call_what_is_callable(before: object, number: int, frame: FrameType | None) -> None:
    """Call the handler that was there, and go on to a proper end."""
    if callable(before):
        before(number, frame)


def compare_first(before: object, number: int, frame: FrameType | None) -> None:
    """Do what the signal would have done where there was no handler."""
    if before == signal.SIG_DFL:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    elif callable(before):
        before(number, frame)


def leave_if_there_was_none(before: object, number: int, frame: FrameType | None) -> None:
    """End where there was no handler, by asking whether there was any."""
    if before and callable(before):
        before(number, frame)
    else:
        os._exit(9)


def fork() -> None:
    """Have a child that holds the GIL and records nothing."""
    child = os.fork()
    if child == 0:
        print("child has", signal.getsignal(signal.SIGTERM), flush=True)
        ctypes.PyDLL(None).sleep(20)
        os._exit(1)
    time.sleep(0.5)
    begun = time.monotonic()
    os.kill(child, signal.SIGTERM)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print("child", code, "late" if time.monotonic() - begun > 1 else "in time")
    sys.exit(0)


def be_handled_in_c() -> None:
    """Have a handler that Python does not know, as servers have that embed it."""
    print("handled", flush=True)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.1)
    sys.exit(7)


def be_handled_by_faulthandler() -> None:
    """Let a dump of all stacks be all that the signal does, and let the ticker see that."""
    faulthandler.register(signal.SIGTERM, chain=False)
    if WHO != "plain":
        record()
    time.sleep(0.5)
    be_handled_in_c()


def outlive_the_first() -> None:
    """Live on, as what SIGTERM does not kill; show whether it records."""
    ready()
    until = time.monotonic() + 1
    while time.monotonic() < until:
        time.sleep(0.05)
    recorder = otel_flight.get_recorder()
    print("recording", recorder is None or recorder.enabled)


STATES: dict[str, Callable[[], None]] = {
    "native call": wait_in_c,
    "GIL held": hold_the_gil,
    "lock": wait_for_a_lock,
    "no threads": run_into_a_limit,
    "chained": lambda: handle(call_what_is_callable),
    "compared": lambda: handle(compare_first),
    "asked": lambda: handle(leave_if_there_was_none),
    "fork": fork,
    "handler in C": be_handled_in_c,
    "faulthandler": be_handled_by_faulthandler,
    "first process": outlive_the_first,
}
if STATE == "handler in C":
    ignore = ctypes.CFUNCTYPE(None, ctypes.c_int)(lambda number: None)
    ctypes.CDLL(None).signal(signal.SIGTERM, ignore)
if WHO != "plain":
    record()
STATES[STATE]()
