"""Forks like the servers do, records in parent and child, says what each of them sees.

Arguments: `hooks` forks by `os.fork`, `no-hooks` by the C library, as uWSGI does.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time

from opentelemetry.sdk.trace import TracerProvider

import otel_flight


def record(provider: TracerProvider, who: str, count: int) -> None:
    """Record some requests and a failing one."""
    tracer = provider.get_tracer("server")
    for _ in range(count):
        with tracer.start_as_current_span(f"{who} request"):
            tracer.start_span(f"{who} query").end()
    try:
        with tracer.start_as_current_span(f"{who} failure"):
            raise ValueError(who)
    except ValueError:
        pass


def main(how: str) -> None:
    """Record, fork while other threads record, record in the child."""
    provider = TracerProvider()
    recorder = otel_flight.install(tracer_provider=provider, tail_seconds=0, cooldown_seconds=0)
    assert recorder is not None
    parent_ring = recorder.statistics().ring_path
    stop = threading.Event()

    def background() -> None:
        tracer = provider.get_tracer("background")
        while not stop.is_set():
            tracer.start_span("background").end()

    # Forking behind Python's back while other threads wait for the interpreter is not survivable
    # by Python itself; uWSGI's master has none, and the recorder's own thread only now and then.
    threads = [threading.Thread(target=background) for _ in range(3 if how == "hooks" else 0)]
    for thread in threads:
        thread.start()
    run = recorder._run
    assert run is not None
    while how != "hooks" and not run._ticker.ticks:
        time.sleep(0.001)
    pid = os.fork() if how == "hooks" else ctypes.PyDLL(None).fork()
    if pid == 0:
        record(provider, "child", 20)
        child_ring = recorder.statistics().ring_path
        recorder.stop()
        statistics = recorder.statistics()
        print("child:", statistics.incidents_written, statistics.errors, flush=True)
        print("child has its own ring:", child_ring != parent_ring, flush=True)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    stop.set()
    for thread in threads:
        thread.join()
    record(provider, "parent", 20)
    provider.shutdown()
    statistics = recorder.statistics()
    print("parent:", statistics.incidents_written, statistics.errors, "child exit", status)


main(sys.argv[1])
