"""Ends in one of several ways right after a span failed.

Arguments: `return`, `exit`, `exception`, `interrupt`, `threads`, `terminate`, `own-handler`: how
the program ends.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from opentelemetry.sdk.trace import TracerProvider

import otel_flight


def main(how: str) -> None:
    """Fail, then end."""
    provider = TracerProvider()
    otel_flight.install(tracer_provider=provider)
    tracer = provider.get_tracer("script")
    if how == "threads":
        threading.Thread(target=lambda: tracer.start_span("late").end()).start()
    try:
        with tracer.start_as_current_span("failing"):
            raise ValueError("broken")
    except ValueError:
        pass
    if how == "exit":
        sys.exit(0)
    if how == "exception":
        raise RuntimeError("unhandled")
    if how == "terminate":
        os.kill(os.getpid(), signal.SIGTERM)
    if how == "own-handler":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
        os.kill(os.getpid(), signal.SIGTERM)
    if how == "interrupt":
        os.kill(os.getpid(), signal.SIGINT)


main(sys.argv[1])
