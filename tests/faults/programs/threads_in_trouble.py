"""A service on threads with faults that no rule was written for, each behind a path."""

from __future__ import annotations

import copy
import logging
import multiprocessing
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from contextlib import suppress
from typing import Any, Final

import requests
from flask import Flask, request
from jinja2 import Environment
from requests.adapters import HTTPAdapter
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.pool import QueuePool
from switch import IS_FAULTY
from urllib3.util.retry import Retry

app = Flask(__name__)
_SECONDS: Final = 0.9 if IS_FAULTY else 0.01


def check_ticket() -> None:
    """Ask somebody whether this may be done."""
    time.sleep(_SECONDS)


@app.before_request
def authenticate() -> None:
    """Look at each request before its view does."""
    if request.path == "/secret":
        check_ticket()


@app.get("/secret")
def secret() -> dict[str, str]:
    """Do nothing of it by itself."""
    return {"status": "ok"}


_pool: Final = ThreadPoolExecutor(1, "nested")


def add_parts() -> int:
    """Leave a part of the work to the pool that this runs on."""
    with suppress(NotInTime):
        return _pool.submit(lambda: 1).result(0.9 if IS_FAULTY else None)
    return 0


@app.get("/sum")
def sum_up() -> dict[str, int]:
    """Wait for a pool whose work waits for the same pool."""
    return {"sum": _pool.submit(add_parts).result() if IS_FAULTY else 1}


_engine: Final = create_engine(
    "sqlite://",
    poolclass=QueuePool,
    pool_size=1,
    max_overflow=0,
    pool_timeout=0.9,
    connect_args={"check_same_thread": False},
)
_leaked: Final[list[Any]] = []


def forget_connection() -> None:
    """Never give a connection back."""
    _leaked.append(_engine.connect())


@app.get("/leak")
def leak() -> dict[str, str]:
    """Need a connection that nobody gives back."""
    if IS_FAULTY:
        forget_connection()
    with suppress(NoConnection):
        count_orders()
    return {"status": "ok"}


def count_orders() -> int:
    """Count in the database."""
    with _engine.connect() as connection:
        return int(connection.scalar(text("SELECT 2")) or 0)


_shop: Final = create_engine("sqlite://")


@event.listens_for(_shop, "connect")
def _teach(connection: Any, _: object) -> None:
    connection.create_function("score", 1, score)


def score(item: int) -> int:
    """Work out in Python what a query asks for."""
    time.sleep(_SECONDS / 4)
    return item


@app.get("/best")
def best() -> dict[str, int]:
    """Let a query call Python."""
    with _shop.connect() as connection:
        rows = connection.execute(text("SELECT score(1), score(2), score(3), score(4)")).all()
    return {"best": len(rows)}


def ask_bank() -> None:
    """Try again and again, which the client does by itself."""
    session = requests.Session()
    session.mount("http://", HTTPAdapter(max_retries=Retry(3, backoff_factor=0.15)))
    with suppress(requests.ConnectionError):
        session.get("http://127.0.0.1:9/", timeout=1)


@app.get("/pay")
def pay() -> dict[str, str]:
    """Pay by a bank that is down."""
    if IS_FAULTY:
        ask_bank()
    return {"status": "paid"}


_catalogue: Final = [{"id": n, "tags": [str(n), "x"]} for n in range(150_000 if IS_FAULTY else 10)]


def snapshot() -> list[Any]:
    """Copy all there is."""
    return copy.deepcopy(_catalogue)


@app.get("/catalogue")
def catalogue() -> dict[str, int]:
    """Copy a large structure."""
    return {"items": len(snapshot())}


def square(number: int) -> int:
    """Take long in another process."""
    time.sleep(_SECONDS)
    return number * number


@app.get("/squares")
def squares() -> dict[str, int]:
    """Let other processes work."""
    if not IS_FAULTY:
        return {"sum": 5}
    # A pool ends its processes by SIGTERM, for which they have the server's handler otherwise.
    as_usual = signal.SIGTERM, signal.SIG_DFL
    with multiprocessing.get_context("fork").Pool(2, signal.signal, as_usual) as pool:
        return {"sum": sum(pool.map(square, [1, 2]))}


class Uploader(logging.Handler):
    """It sends what is logged to somewhere, while it has the handler's lock."""

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        if "slow" in record.getMessage():
            time.sleep(_SECONDS + 0.3 * IS_FAULTY)


_log: Final = logging.getLogger("shop")
_log.addHandler(Uploader())
_log.propagate = False


@app.get("/note")
def note() -> dict[str, str]:
    """Log while another thread does so."""
    threading.Thread(target=_log.error, args=("slow",)).start()
    time.sleep(0.05)
    _log.error("quick")
    return {"status": "noted"}


_together: Final = threading.Barrier(2)


def wait_for_both() -> None:
    """Wait for another one, who does not come."""
    with suppress(threading.BrokenBarrierError):
        _together.wait(_SECONDS)


@app.get("/pair")
def pair() -> dict[str, str]:
    """Wait at a barrier."""
    wait_for_both()
    return {"status": "paired"}


_PAGE: Final = "{% for n in r %}{% if n %}x{% endif %}{% endfor %}" * 4000


def compile_page() -> Any:
    """Compile a template, as it is not there yet."""
    return Environment(autoescape=True).from_string(_PAGE if IS_FAULTY else "{{ r }}")


_pages: Final[dict[str, Any]] = {}


@app.get("/page")
def page() -> dict[str, int]:
    """Show what is made only once."""
    if "page" not in _pages:
        _pages["page"] = compile_page()
    return {"length": len(_pages["page"].render(r=range(2)))}


@app.get("/ok")
def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
