"""Runs threads that end spans without a pause, again and again, each time until it is killed.

Arguments: a file of 8 bytes a thread, in which each notes the number of the last span that has
ended; `compiled` or `pure`. For each line of its input it forks a process that records, and that
says `ready RING PID`; when that one was killed it takes the next line.
"""

from __future__ import annotations

import mmap
import os
import sys
import threading
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import TracerProvider

import otel_flight

SWITCH_SECONDS = 0.0001
"""Threads take turns this often, so that many are between two instructions of a write."""


def record(provider: TracerProvider, thread: int, ended: memoryview[int]) -> None:
    """End spans, numbered."""
    tracer = provider.get_tracer(f"thread {thread}")
    number = 0
    while True:
        number += 1
        attributes: Any = {"number": number, "thread": thread, "text": "x" * (number % 700)}
        tracer.start_span("query", attributes=attributes).end()
        ended[thread] = number


def record_until_killed(ended: memoryview[int], is_compiled: bool) -> None:
    """Record in this process on as many threads as have a place for their numbers."""
    provider = TracerProvider()
    recorder = otel_flight.install(
        tracer_provider=provider,
        window_bytes="16MiB",  # more than they write until the kill
        error_span="off",
        slow_root_seconds=None,
        compiled=is_compiled,
    )
    assert recorder is not None
    provider.get_tracer("first").start_span("first").end()
    os.write(1, f"ready {recorder.statistics().ring_path} {os.getpid()}\n".encode())
    sys.setswitchinterval(SWITCH_SECONDS)
    for thread in range(1, len(ended)):
        threading.Thread(target=record, args=(provider, thread, ended), daemon=True).start()
    record(provider, 0, ended)


def main(path: Path, is_compiled: bool) -> None:
    """Fork a process for each line, and wait for its end."""
    with path.open("r+b") as file:
        ended = memoryview(mmap.mmap(file.fileno(), 0)).cast("Q")
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            record_until_killed(ended, is_compiled)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] == "compiled")
