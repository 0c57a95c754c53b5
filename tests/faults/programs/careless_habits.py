"""A service on threads with habits that cost nothing while it is small, each behind a path."""

from __future__ import annotations

import gzip
import logging
import os
import re
import socket
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from logging.handlers import SocketHandler
from pathlib import Path
from typing import Any, Final

from customers import Customer, engine
from flask import Flask, render_template_string
from sqlalchemy.orm import Session
from switch import IS_FAULTY

app = Flask(__name__)
_folder: Final = Path(tempfile.mkdtemp(prefix="careless-habits-"))
_SECONDS: Final = 0.9 if IS_FAULTY else 0.01


def show_customers() -> str:
    """Let a template look at what is not loaded yet."""
    with Session(engine) as session:
        return render_template_string(
            "{% for one in customers %}{{ one.orders | length }}{% endfor %}",
            customers=session.query(Customer).all(),
        )


@app.get("/customers")
def customers() -> dict[str, int]:
    """Load lazily, in a template."""
    return {"length": len(show_customers())}


_rows: Final = [{"number": n, "text": "x" * 60} for n in range(1_000_000 if IS_FAULTY else 10)]


@app.get("/dumped")
def dumped() -> dict[str, Any]:
    """Leave it to the framework to write far too much."""
    return {"rows": _rows}


def match_price(number: int) -> bool:
    """Compile an expression, for one look at a text."""
    return re.compile(rf"item-{number}:(\d+|free|(?:on|by) request)$").match("item-1:12") is None


@app.get("/matched")
def matched() -> dict[str, int]:
    """Look at many texts."""
    return {"found": sum(match_price(n) for n in range(8_000 if IS_FAULTY else 3))}


_table: Final = {
    name: list(range(400_000 if IS_FAULTY else 10)) for name in ("price", "count", "tax")
}


def with_total(row: dict[str, int]) -> dict[str, int]:
    """Add a column to one row."""
    return {**row, "total": row["price"] * row["count"] + row["tax"]}


def apply_rows(table: dict[str, list[int]]) -> int:
    """Make a dictionary of each row, as a table that is held by columns has none."""
    total = 0
    for values in zip(*table.values(), strict=True):
        total += with_total(dict(zip(table, values, strict=True)))["total"]
    return total


@app.get("/table")
def table() -> dict[str, int]:
    """Go over a table row by row."""
    return {"total": apply_rows(_table)}


def store_parts(until: float) -> int:
    """Write each part into a file of its own, and wait until it is on the disk."""
    parts = 0
    while time.perf_counter() < until or not parts:
        with (_folder / f"{threading.get_ident()}-{parts}").open("wb") as file:
            file.write(b"x" * 100_000)
            file.flush()
            os.fsync(file.fileno())
        parts += 1
    return parts


@app.get("/parts")
def parts() -> dict[str, int]:
    """Write to a disk that is slow with it."""
    return {"parts": store_parts(time.perf_counter() + (0.9 if IS_FAULTY else 0))}


_stock: Final = threading.Condition()


def wait_for_stock() -> bool:
    """Wait for who has forgotten to say that there is something."""
    with _stock:
        return _stock.wait(_SECONDS)


@app.get("/delivery")
def delivery() -> dict[str, bool]:
    """Wait for what nobody tells."""
    return {"told": wait_for_stock()}


_permits: Final = threading.BoundedSemaphore(2)


def rent(car: str) -> bool:
    """Take a permit, and forget to give it back where the car is broken."""
    if not _permits.acquire(timeout=0.9):
        return False
    if IS_FAULTY and car == "broken":
        return False
    _permits.release()
    return True


@app.get("/rent/<car>")
def rented(car: str) -> dict[str, bool]:
    """Need a permit."""
    return {"rented": rent(car)}


_collector: Final = socket.create_server(("127.0.0.1", 0))


def collect() -> None:
    """Take what is logged, but not at once."""
    while True:
        peer, _ = _collector.accept()
        time.sleep(_SECONDS)
        with suppress(OSError):
            while peer.recv(1 << 20):
                pass


threading.Thread(target=collect, daemon=True).start()
_audit: Final = logging.getLogger("audit")
_audit.propagate = False
_audit.addHandler(SocketHandler(*_collector.getsockname()))


def log_rows(count: int) -> None:
    """Log each row whole."""
    for number in range(count):
        _audit.warning("row %d: %s", number, "x" * 50_000)


@app.get("/logged")
def logged() -> dict[str, str]:
    """Log to another machine, which is slow."""
    log_rows(400 if IS_FAULTY else 2)
    return {"status": "logged"}


_page: Final = "".join(f"<td>{n * 7919 % 10_007}</td>" for n in range(1_500_000 * IS_FAULTY))


def pack_page() -> bytes:
    """Make it as small as possible, which takes longer than to send it."""
    return gzip.compress(_page.encode(), 9)


@app.get("/packed")
def packed() -> dict[str, int]:
    """Spend the time in one native call, which lets others run."""
    return {"length": len(pack_page())}


_asking: Final = ThreadPoolExecutor(8, thread_name_prefix="asking")


def price_one(number: int) -> int:
    """Ask for a price; one of them takes long."""
    time.sleep(_SECONDS if number == 3 else 0.01)
    return number


def gather_prices() -> int:
    """Take the prices as they come."""
    asked = [_asking.submit(price_one, number) for number in range(5)]
    return sum(each.result() for each in as_completed(asked))


@app.get("/prices")
def prices() -> dict[str, int]:
    """Wait for the slowest of several."""
    return {"sum": gather_prices()}


@app.get("/ok")
def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
