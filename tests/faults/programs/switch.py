"""Whether a program has its fault, and what a script does when its work is over."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Final

from opentelemetry import trace

IS_FAULTY: Final = os.environ.get("FAULT") != "off"


def say(word: str) -> None:
    """Tell who started the program how far it is: `ready`, `done`."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def begin() -> None:
    """Say `ready` when there was a span, and it is recorded: a service has worked for some time."""
    with trace.get_tracer("switch").start_as_current_span("start"):
        say("started")
    directory = os.environ.get("OTEL_FLIGHT_RING_DIRECTORY")
    while directory is not None and not list(Path(directory).glob("*.ring")):
        time.sleep(0.01)
    say("ready")


def stay() -> None:
    """Say that the work is over, and wait to be ended, so that there is time for an incident."""
    say("done")
    signal.pause()
