"""Blocks a signal in its only thread, is sent it, and takes it when it is ready for it.

That is a daemon with a section that must not be interrupted. `plain` as second argument: without
the recorder.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from opentelemetry.sdk.trace import TracerProvider

import otel_flight

number = signal.Signals[sys.argv[1]]
if "plain" not in sys.argv:
    provider = TracerProvider(shutdown_on_exit=False)
    recorder = otel_flight.install(tracer_provider=provider, export="off", tail_seconds=0)
    assert recorder is not None
    provider.get_tracer("daemon").start_span("first").end()
    recorder.trigger("so that both threads run")
    while not recorder.statistics().incidents_written:
        time.sleep(0.01)
signal.pthread_sigmask(signal.SIG_BLOCK, [number])
os.kill(os.getpid(), number)
time.sleep(0.2)  # for a thread that would take it
print("pending", number in signal.sigpending())
received = signal.sigtimedwait([number], 1)
print("received", received is not None and received.si_signo == number)
