"""Ends in one of several ways, with threads at work, while an incident is open or undelivered.

Arguments: how it ends, how many threads work, in which state the incident is, how many spans the
window holds. It prints the incident's id and the monotonic clock: right before the end, and where
they run, before all exit handlers and after them.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from functools import partial

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Tracer

import otel_flight

_WORK_SECONDS = 0.005
_LONGEST_SECONDS = 30.0


def work(tracer: Tracer) -> None:
    """Use the CPU half of the time, with a span for each turn."""
    while True:
        span = tracer.start_span("work")
        until = time.perf_counter() + _WORK_SECONDS
        while time.perf_counter() < until:
            pass
        span.end()
        time.sleep(_WORK_SECONDS)


def wait_until_written(recorder: otel_flight.FlightRecorder) -> None:
    """Wait for the incident to be in the spool."""
    until = time.monotonic() + _LONGEST_SECONDS
    while not recorder.statistics().incidents_written and time.monotonic() < until:
        time.sleep(0.01)


def say(what: str) -> None:
    """Say when that is."""
    sys.stdout.write(f"{what} {time.monotonic_ns()}\n")
    sys.stdout.flush()


def end(how: str) -> None:
    """End, or return."""
    atexit.register(partial(say, "exits"))  # last, so that it is called first
    say("ends")
    if how == "exception":
        raise RuntimeError("unhandled")
    if how == "SystemExit":
        sys.exit(3)
    if how == "os._exit":
        os._exit(4)
    if how != "normal":
        os.kill(os.getpid(), signal.Signals[how])
        time.sleep(_LONGEST_SECONDS)


def main(how: str, threads: int, state: str, spans: int) -> None:
    """Record, make an incident, end."""
    atexit.register(partial(say, "over"))  # first, so that it is called last
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    provider = TracerProvider()
    recorder = otel_flight.install(tracer_provider=provider, slow_root_seconds="off")
    tracer = provider.get_tracer("victim")
    for _ in range(spans):
        tracer.start_span("fill").end()
    if state == "undelivered":
        sys.stdout.write(f"incident {recorder.trigger('late')}\n")
        wait_until_written(recorder)
    for _ in range(threads):
        threading.Thread(target=work, args=(tracer,), daemon=True).start()
    time.sleep(0.5)
    if state == "open":
        sys.stdout.write(f"incident {recorder.trigger('late')}\n")
    time.sleep(0.3)
    tracer.start_span("last").end()
    end(how)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
