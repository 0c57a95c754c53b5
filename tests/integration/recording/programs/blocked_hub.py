"""Requests in greenlets of gevent, and what holds one of them up.

Argument: `blocked`: by the function of another one, which does not let the hub go on; `waiting`: by
what it waits for itself; `locked`: by who has a lock.
"""

from __future__ import annotations

import sys
import threading
import time
from importlib import import_module
from typing import Any

monkey: Any = import_module("gevent.monkey")
monkey.patch_all()
gevent: Any = import_module("gevent")
from opentelemetry.sdk.trace import TracerProvider  # noqa: E402

import otel_flight  # noqa: E402

block: Any = monkey.get_original("time", "sleep")
provider = TracerProvider(shutdown_on_exit=False)
recorder = otel_flight.install(
    tracer_provider=provider,
    export="off",
    tail_seconds=0.1,
    slow_root_seconds=0.25,
    slow_root_routes="report=off",
    slow_open_root=False,
)
recorder.start()
tracer = provider.get_tracer("shop")


def compute() -> None:
    """Keep the thread."""
    block(0.8)


def report() -> None:
    """Serve a request that keeps all others from going on."""
    with tracer.start_as_current_span("report"):
        compute()


def wait() -> None:
    """Serve a request that waits as long for somebody else."""
    with tracer.start_as_current_span("wait"):
        time.sleep(0.8)


lock = threading.Lock()


def hold() -> None:
    """Have the lock."""
    with lock:
        time.sleep(0.8)


def locked() -> None:
    """Serve a request that waits for a lock."""
    with tracer.start_as_current_span("locked"), lock:
        pass


def quick() -> None:
    """Serve a request that is quick by itself."""
    with tracer.start_as_current_span("quick"):
        time.sleep(0.02)


for _ in range(5):
    gevent.spawn(quick).join()
served = {"blocked": report, "waiting": wait, "locked": locked}[sys.argv[1]]
if served is locked:
    gevent.spawn(hold)
greenlets = [gevent.spawn(quick), gevent.spawn(served)]
while not all(each.dead for each in greenlets):
    gevent.spawn(quick).join()
time.sleep(0.3)
recorder.stop()
print(recorder.statistics().errors)
