"""One program of the hunt: runs some workloads for some seconds, and says that it survived.

Arguments: SECONDS SEED READER [plain] [WORKLOAD…]. READER is `compiled` or `pure`; `plain` is
without a recorder. Without the names of workloads the seed chooses them.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import random
import sys
import threading
import time
import warnings
from typing import Any

seconds, seed, reader = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
faulthandler.enable(all_threads=False)
if reader == "pure":
    modules: dict[str, Any] = sys.modules
    modules["otel_flight.interpreter._frames"] = None

from opentelemetry import trace  # noqa: E402
from opentelemetry.sdk.trace import TracerProvider  # noqa: E402

import otel_flight  # noqa: E402
from tests.hunt.hunt import Hunt  # noqa: E402
from tests.hunt.workloads import WORKLOADS  # noqa: E402


def main() -> int:
    """Run the workloads; return how many failed."""
    warnings.simplefilter("ignore", DeprecationWarning)  # of forking where there are threads
    random.seed(seed)
    logging.getLogger("hunt").addHandler(logging.NullHandler())
    logging.getLogger("hunt").propagate = False
    trace.set_tracer_provider(TracerProvider())
    recorder = None
    if "plain" not in sys.argv:
        recorder = otel_flight.install(
            export="off",
            tick_seconds=0.01,
            stacks_after_seconds=0.01,
            loop_stall_seconds=0.01,
            descheduled_seconds=0.01,
            gc_pause_seconds=0.001,
            raised_exceptions=sys.version_info >= (3, 12) and reader == "compiled",
            incidents_per_hour=1000,
        )
    sys.setswitchinterval(random.choice([0.005, 0.0005, 1e-5]))
    names = sorted(WORKLOADS)
    asked = {name for name in sys.argv[4:] if name != "plain"}
    chosen = asked or {*random.sample(names, k=min(len(names), 4)), "go_deep"}
    hunt = Hunt(time.monotonic() + seconds, seed)

    def run(name: str) -> None:
        try:
            WORKLOADS[name][0](hunt)
        except BaseException as error:
            hunt.noticed.append(f"{name}: {type(error).__name__}: {error}")
            raise

    threads = [
        threading.Thread(target=run, args=(name,))
        for name in sorted(chosen)
        for _ in range(WORKLOADS[name][1])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for line in hunt.noticed:
        say(f"noticed: {line}")
    if recorder is not None:
        say(f"seen: {recorder.statistics().sources}")
        recorder.stop()
    say(f"survived {' '.join(sorted(chosen))}")
    return len(hunt.noticed)


def say(line: str) -> None:
    """Write a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    code = main()
    os._exit(min(code, 100)) if code else sys.exit(0)
