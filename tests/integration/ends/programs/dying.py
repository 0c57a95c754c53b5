"""A service, as a script, that dies in the middle of a request, in the way it is told to."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

import otel_flight

provider = TracerProvider(resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
otel_flight.install(tracer_provider=provider, slow_open_root=False, export="off")
tracer = provider.get_tracer("dying")


def segfault() -> None:
    """Read where there is nothing."""
    ctypes.string_at(0)


def abort() -> None:
    """Let a native library find something impossible."""
    os.abort()


def bus_error() -> None:
    """Do what reading a file that is cut meanwhile does."""
    os.kill(os.getpid(), signal.SIGBUS)


def arithmetic_error() -> None:
    """Do what dividing by zero in C does."""
    os.kill(os.getpid(), signal.SIGFPE)


def overflow(level: int = 0) -> Any:
    """Recurse through C until the stack is full: from 3.12 on the interpreter counts that."""
    sys.setrecursionlimit(1 << 30)
    return list(map(overflow, [level + 1]))


def leave() -> None:
    """End without any handler."""
    os._exit(3)


def be_killed() -> None:
    """Be killed by somebody."""
    os.kill(os.getpid(), signal.SIGKILL)


def match() -> None:
    """Match a pattern that takes twice as long for each character, and be killed over it."""
    command = f"import os, time; time.sleep(4); os.kill({os.getpid()}, {signal.SIGKILL:d})"
    subprocess.Popen([sys.executable, "-c", command])
    re.match(r"(a+)+$", "a" * 60 + "b")


def abort_by_handler() -> None:
    """Be told to abort, as gunicorn tells a worker, with a handler that ends in another way."""
    os.kill(os.getpid(), signal.SIGABRT)
    time.sleep(5)


def grow() -> None:
    """Keep more and more, until there is no more."""
    kept = []
    while True:
        kept.append(bytearray(b"x") * 2_000_000)
        time.sleep(0.05)


if sys.argv[1] == abort_by_handler.__name__:
    signal.signal(signal.SIGABRT, lambda *_: os._exit(5))
for _ in range(20):
    with tracer.start_as_current_span("GET /ok"):
        time.sleep(0.05)
with tracer.start_as_current_span("GET /report"):
    time.sleep(0.5)
    globals()[sys.argv[1]]()
