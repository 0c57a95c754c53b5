"""Records without a pause until it is killed, saying how far it has come.

Arguments: how many threads record; `forks` (optional): fork a child first, which records nothing
and only waits; `wide` (optional): a window that holds all it records before it is killed. Says
`ready RING PID...` at first, then `THREAD NUMBER` for spans that have ended.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Any

from opentelemetry.sdk.trace import TracerProvider

import otel_flight

REPORT_EVERY = 50


def say(text: str) -> None:
    """Write a line in one system call: what was said is said, also by a process that is killed."""
    os.write(1, f"{text}\n".encode())


def record(provider: TracerProvider, thread: int) -> None:
    """Serve requests: a root with two spans each, numbered."""
    tracer = provider.get_tracer(f"thread {thread}")
    number = 0
    while True:
        with tracer.start_as_current_span("request", attributes={"thread": thread}):
            for _ in range(2):
                number += 1
                text = "x" * (number % 700)
                attributes: Any = {"number": number, "thread": thread, "text": text}
                tracer.start_span(f"query {number}", attributes=attributes).end()
        if number % REPORT_EVERY == 0:
            say(f"{thread} {number}")


def main(threads: int, forks: bool, window_bytes: str) -> None:
    """Record until killed."""
    provider = TracerProvider()
    recorder = otel_flight.install(
        tracer_provider=provider,
        window_bytes=window_bytes,
        error_span="off",
        slow_root_seconds=None,
    )
    assert recorder is not None
    hung = provider.get_tracer("hung").start_span("hung", attributes={"why": "waits"})
    children = []
    if forks:
        pid = os.fork()
        if pid == 0:
            time.sleep(60)
            os._exit(0)
        children.append(pid)
    say(" ".join(["ready", recorder.statistics().ring_path, str(os.getpid()), *map(str, children)]))
    for thread in range(1, threads):
        threading.Thread(target=record, args=(provider, thread), daemon=True).start()
    record(provider, 0)
    hung.end()


if __name__ == "__main__":
    window = "64MiB" if "wide" in sys.argv else "1MiB"
    main(int(sys.argv[1]), "forks" in sys.argv, window)
