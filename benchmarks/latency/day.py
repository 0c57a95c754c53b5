"""A day of a real service: each hour a while is recorded, under the load of that hour.

Durations are the service's own. Its clock runs as ours does while it is recorded, and jumps to the
next hour then.
"""

from __future__ import annotations

import http.client
import json
import math
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from benchmarks.latency import service
from benchmarks.latency.requests import Request, Window
from benchmarks.measuring import child_process
from tests.support.processes.service_process import free_port

HOURS: Final = 24
_HOUR_SECONDS: Final = 3600.0
_RATE: Final = 80.0
_SWING: Final = 0.8
"""In the middle of the day there are so many more requests than on average, and at night less."""
_AT_ONCE: Final = 48
_DOWNSTREAM: Final = "downstream"
_FAULTS: Final = (*service.FAULTS, _DOWNSTREAM)
_FIRST_FAULT_HOUR: Final = 3
_AFTERMATH_SECONDS: Final = 3.0
"""So long after a fault what waited for its end is of it, too."""
_WORDS: Final = ("lamp", "chair", "table lamp", "shelf clock", "mirror desk", "stool stool stool")
_TIMEOUT_SECONDS: Final = 60.0


class _Day:
    """A service, and whoever asks it."""

    def __init__(self, port: int, is_held_up: threading.Event) -> None:
        self._port = port
        self._is_held_up = is_held_up
        self._rng = random.Random(1)
        self.faults: list[tuple[int, float, float]] = []
        self.starts: list[float] = []

    def live(self, hour: int, seconds: float, pool: ThreadPoolExecutor) -> None:
        """Live through what is recorded of an hour."""
        self._ask("POST", service.HOUR_PATH)
        start = time.time()
        self.starts.append(start)
        rate = _RATE * (1 + _SWING * math.sin(2 * math.pi * (hour - 6) / HOURS))
        asked: list[Future[object]] = []
        if hour >= _FIRST_FAULT_HOUR and hour % 2:
            name = _FAULTS[hour // 2 % len(_FAULTS)]
            asked.append(pool.submit(self._break, hour, name, start + seconds / 2))
        due = start
        while (due := due + self._rng.expovariate(rate)) < start + seconds:
            time.sleep(max(0.0, due - time.time()))
            asked.append(pool.submit(self._ask, *self._any_request()))
        for each in asked:
            each.result()

    def roots(self) -> Iterator[Request]:
        """Yield what the service has recorded, at the time of the day."""
        for at, seconds, name in json.loads(self._ask("GET", service.ROOTS_PATH)):
            hour = max(n for n, start in enumerate(self.starts) if start <= at)
            yield Request(self._of_day(hour, at), seconds, name=name)

    def windows(self) -> list[Window]:
        """Return when there was a fault."""
        return [
            Window(self._of_day(hour, start), self._of_day(hour, end + _AFTERMATH_SECONDS))
            for hour, start, end in self.faults
        ]

    def _of_day(self, hour: int, at: float) -> float:
        return hour * _HOUR_SECONDS + at - self.starts[hour]

    def _break(self, hour: int, name: str, at: float) -> None:
        time.sleep(max(0.0, at - time.time()))
        start = time.time()
        if name == _DOWNSTREAM:
            self._is_held_up.set()
            time.sleep(service.FAULT_SECONDS)
            self._is_held_up.clear()
        else:
            self._ask("POST", f"/faults/{name}")
        self.faults.append((hour, start, time.time()))

    def _any_request(self) -> tuple[str, str]:
        number, dice = self._rng.randrange(10**6), self._rng.random()
        if dice < 0.5:
            return "GET", f"/orders/{number}"
        if dice < 0.65:
            return "GET", f"/search?word={self._rng.choice(_WORDS).replace(' ', '%20')}"
        if dice < 0.8:
            return "POST", "/orders"
        return "GET", "/catalog" if dice < 0.85 else f"/price/{number}"

    def _ask(self, method: str, path: str) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_TIMEOUT_SECONDS)
        with closing(connection):
            connection.request(method, path)
            response = connection.getresponse()
            content = response.read()
        if response.status != 200:
            message = f"{method} {path}: {response.status}"
            raise RuntimeError(message)
        return content


@contextmanager
def _downstream() -> Iterator[tuple[str, threading.Event]]:
    """Serve what the service asks; it answers late while the event is set."""
    is_held_up = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if is_held_up.is_set():
                time.sleep(service.FAULT_SECONDS)
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"42")

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", is_held_up
        server.shutdown()


def recorded_day(hours: int, seconds: float) -> tuple[list[Request], list[Window]]:
    """Return what a service recorded of a day, and when there was a fault; both are of its clock.

    Args:
        hours: so many hours of it.
        seconds: so long of each.
    """
    with tempfile.TemporaryDirectory() as directory, _downstream() as (url, is_held_up):
        port = free_port()
        started = child_process.start(
            "benchmarks.latency.service",
            {"port": port, "directory": str(Path(directory)), "downstream": url},
            ready_address=f"tcp://127.0.0.1:{port}",
        )
        with started as process, ThreadPoolExecutor(_AT_ONCE) as pool:
            process.wait_until_ready(timeout_seconds=60)
            day = _Day(port, is_held_up)
            for hour in range(hours):
                day.live(hour, seconds, pool)
            return list(day.roots()), day.windows()
