"""A service on greenlets that stand in each other's way, each behind a path."""

from __future__ import annotations

import sqlite3
import time
from typing import Any, Final

import gevent  # type: ignore[import-untyped]
from flask import Flask
from gevent.lock import BoundedSemaphore  # type: ignore[import-untyped]
from gevent.pool import Pool  # type: ignore[import-untyped]
from gevent.queue import Queue  # type: ignore[import-untyped]
from switch import IS_FAULTY

app = Flask(__name__)
_SECONDS: Final = 0.9 if IS_FAULTY else 0.01


def render_rows() -> int:
    """Compute, and let no other greenlet run."""
    until, turns = time.perf_counter() + _SECONDS, 0
    while time.perf_counter() < until:
        turns += sum(range(100))
    return turns


@app.get("/rows")
def rows() -> dict[str, int]:
    """Compute."""
    return {"rows": render_rows()}


@app.get("/quick")
def quick() -> dict[str, str]:
    """Sleep for a moment, and be held up by whoever computes."""
    time.sleep(0.1)
    return {"status": "quick"}


_lock: Final = BoundedSemaphore(1)


def count_stock(seconds: float) -> None:
    """Be the only one for some time."""
    with _lock:
        time.sleep(seconds)


@app.get("/count")
def count() -> dict[str, str]:
    """Have the lock for long."""
    count_stock(_SECONDS + 0.3 * IS_FAULTY)
    return {"status": "counted"}


@app.get("/stock")
def stock() -> dict[str, str]:
    """Wait for the lock."""
    count_stock(0.001)
    return {"status": "counted"}


_few: Final = Pool(1)


def convert(seconds: float) -> None:
    """Take long, in a pool."""
    time.sleep(seconds)


@app.get("/picture")
def picture() -> dict[str, str]:
    """Wait for room in a pool of greenlets."""
    _few.spawn(convert, _SECONDS)
    _few.spawn(convert, 0.001).join()
    return {"status": "converted"}


def ship_parcels(parcels: Any) -> None:
    """Be slow with each."""
    while True:
        time.sleep(_SECONDS)
        parcels.get()


def add_parcel(parcels: Any) -> None:
    """Wait for room in a queue."""
    parcels.put(1)


@app.get("/parcels")
def parcels() -> dict[str, str]:
    """Put more into a queue than somebody takes out."""
    queue = Queue(1)
    gevent.spawn(ship_parcels, queue)
    add_parcel(queue)
    add_parcel(queue)
    return {"status": "queued"}


_COUNT: Final = (
    "WITH RECURSIVE all_of_them(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM all_of_them"
    f" WHERE n < {6_000_000 if IS_FAULTY else 10}) SELECT max(n) FROM all_of_them"
)


def scan_orders() -> int:
    """Ask a database by a driver that knows nothing of greenlets."""
    with sqlite3.connect(":memory:") as connection:
        return int(connection.execute(_COUNT).fetchone()[0])


@app.get("/scanned")
def scanned() -> dict[str, int]:
    """Let no other greenlet run."""
    return {"orders": scan_orders()}


@app.get("/ok")
def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
