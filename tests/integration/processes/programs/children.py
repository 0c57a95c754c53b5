"""Makes an incident in a child process, whose way to end is the argument."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import sys
from typing import Any

from opentelemetry.sdk.trace import TracerProvider

import otel_flight

provider = TracerProvider()
recorder = otel_flight.install(tracer_provider=provider, tail_seconds=60, export="off")
tracer = provider.get_tracer("children")


def work(_: int = 0) -> int:
    """Record a span, and make an incident that is open when the process ends."""
    tracer.start_span(f"in {os.getpid()}").end()
    recorder.trigger("child")
    return os.getpid()


def main(how: str, method: str) -> None:
    """Let a child do that."""
    context: Any = multiprocessing.get_context(method)
    tracer.start_span("parent").end()
    if how == "process":
        child = context.Process(target=work)
        child.start()
        child.join()
        pid = child.pid
    elif how == "executor":
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor:
            pid = executor.submit(work).result()
    elif how == "pool":
        with context.Pool(1) as pool:
            (pid,) = pool.map(work, [0])
            pool.close()
            pool.join()
    else:
        with context.Pool(1) as pool:  # which is terminated in the end
            (pid,) = pool.map(work, [0])
    sys.stdout.write(f"child {pid}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
