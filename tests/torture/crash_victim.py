"""Records spans and makes incidents until it is killed, or delivers what is there and ends.

Its argument says which: `work` or `deliver`. It prints a word when it has begun.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from opentelemetry.sdk.trace import TracerProvider

import otel_flight
from otel_flight.incidents.spool.spool import Spool

_SPANS = 600
_BETWEEN_SECONDS = 0.05
_LONGEST_SECONDS = 3600.0
_IDLE_LOOKS = 3
"""So often in a row there must be nothing left to do."""


def main(what: str) -> None:
    """Do what is asked for."""
    provider = TracerProvider(shutdown_on_exit=False)
    recorder = otel_flight.install(tracer_provider=provider)
    recorder.start()
    tracer = provider.get_tracer("victim")
    open_for_ever = tracer.start_span("open")
    tracer.start_span("first").end()
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    until = time.monotonic() + _LONGEST_SECONDS
    while what == "work" and time.monotonic() < until:
        for _ in range(_SPANS):
            tracer.start_span("work").end()
        recorder.trigger("as often as it goes")
        time.sleep(_BETWEEN_SECONDS)
    rings = Path(os.environ["OTEL_FLIGHT_RING_DIRECTORY"])
    spool = Spool(Path(os.environ["OTEL_FLIGHT_SPOOL_DIRECTORY"]), 1 << 40, 100_000)
    idle = 0
    while what == "deliver" and time.monotonic() < until and idle < _IDLE_LOOKS:
        time.sleep(_BETWEEN_SECONDS * 10)
        others = [each for each in rings.iterdir() if each.suffix in {".ring", ".claimed"}]
        is_busy = len(others) > 1  # it recovers what the killed have left
        is_busy |= any(not entry.state.delivered for entry in spool.entries())
        idle = 0 if is_busy else idle + 1
    open_for_ever.end()


if __name__ == "__main__":
    main(sys.argv[1])
