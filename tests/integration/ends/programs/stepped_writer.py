"""Writes spans by the hot path in C, to be stopped at every machine instruction of that.

Argument: the file of the lane. It lets its parent trace it, stops, writes, and ends.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import TracerProvider

from otel_flight.recording.encoding.compiled import span_writers
from otel_flight.ring import layout
from tests.support.rigs.lane_bench import LaneBench

SPANS = 3
TRACE_ME = 0
CANNOT = 77


def main(path: Path) -> None:
    """Write a record as Python does, with the definitions, and then spans as C does."""
    with path.open("r+b") as file:
        bench = LaneBench(file=file.fileno())
    span: Any = TracerProvider().get_tracer("stepped").start_span("work", attributes={"a": "größe"})
    scope = bench.scopes.add(span._instrumentation_scope, span._resource)
    writers = span_writers(bench.lane, bench.scopes, layout.MAX_RECORD_BYTES)
    bench.append(1, scope=scope.number)
    fields = (
        span._context,
        None,
        span._resource,
        span._instrumentation_scope,
        span._name,
        span._kind,
        span._start_time,
        span._start_time + 5,
        {"text": "x" * 100, "number": 7, "floats": (0.5, 1.5)},
    )
    if ctypes.CDLL(None).ptrace(TRACE_ME, 0, None, None) != 0:
        os._exit(CANNOT)
    os.kill(os.getpid(), signal.SIGSTOP)
    written = [writers.write(*fields) for _ in range(SPANS)]
    os._exit(0 if written == [True] * SPANS else 1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
