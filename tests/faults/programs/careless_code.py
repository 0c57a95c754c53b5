"""A service on threads whose own code does far more than it seems to, each thing behind a path."""

from __future__ import annotations

import configparser
import gc
import inspect
import logging
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

import httpx
from answering import serve
from customers import Customer, engine
from flask import Flask
from sqlalchemy.orm import Session
from switch import IS_FAULTY

app = Flask(__name__)
_folder: Final = Path(tempfile.mkdtemp(prefix="careless-code-"))
_SECONDS: Final = 0.9 if IS_FAULTY else 0.01


class Lease:
    """Something of another service, which is given back when nobody has it any more."""

    def __del__(self) -> None:
        """Give it back."""
        time.sleep(_SECONDS)


def count_leased() -> int:
    """Need it for a moment only."""
    return len([Lease()])


@app.get("/leased")
def leased() -> dict[str, int]:
    """Wait for a finalizer."""
    return {"leased": count_leased()}


def merge_numbers(count: int) -> list[int]:
    """Keep each number once, by a look at all that are there."""
    merged: list[int] = []
    for number in range(count):
        if number not in merged:
            merged.append(number)
    return merged


@app.get("/merged")
def merged() -> dict[str, int]:
    """Do what is quadratic in the number of items."""
    return {"numbers": len(merge_numbers(20_000 if IS_FAULTY else 100))}


_port: Final = serve(lambda _: 200)


def ask_rate(client: httpx.Client) -> int:
    """Ask another service, which answers at once."""
    return client.get(f"http://127.0.0.1:{_port}/rate").status_code


def ask_rates(count: int) -> int:
    """Ask it with a client for each question, which reads all certificates anew."""
    answered = 0
    for _ in range(count):
        with httpx.Client() as client:
            answered += ask_rate(client) == 200
    return answered


@app.get("/rates")
def rates() -> dict[str, int]:
    """Make what could be kept."""
    return {"rates": ask_rates(40 if IS_FAULTY else 1)}


_flags: Final = _folder / "flags.ini"
_flags.write_text("[flags]\n" + "".join(f"flag_{n} = on\n" for n in range(400)))


def is_on(flag: str) -> bool:
    """Read all flags to say whether one of them is on."""
    parser = configparser.ConfigParser()
    parser.read(_flags)
    return parser.getboolean("flags", flag)


@app.get("/flags")
def flags() -> dict[str, int]:
    """Ask for many flags."""
    return {"on": sum(is_on(f"flag_{n}") for n in range(400 if IS_FAULTY else 1))}


_basket: Final = [{"item": n, "text": "x" * 20} for n in range(2_000_000 if IS_FAULTY else 10)]
_log: Final = logging.getLogger("basket")


def place_order() -> None:
    """Make a text that is not logged."""
    _log.debug(f"ordered {_basket!r}")


@app.get("/placed")
def placed() -> dict[str, str]:
    """Pay for what nobody reads."""
    place_order()
    return {"status": "placed"}


def notify_all(count: int) -> None:
    """Start a thread for each who is to be told."""
    threads = [threading.Thread(target=int) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@app.get("/notified")
def notified() -> dict[str, str]:
    """Start many threads."""
    notify_all(8_000 if IS_FAULTY else 3)
    return {"status": "notified"}


class Handle:
    """A handle that is part of a cycle, so that only the collector of cycles ends it."""

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        """Close it."""
        time.sleep(_SECONDS / 200)


def list_files() -> int:
    """Make more and more objects, until the collector runs."""
    for _ in range(200):
        Handle()
    return sum(len([[number], [number]]) for number in range(2_000)) + len(
        [[number] for number in range(50_000)]
    )


@app.get("/files")
def files() -> dict[str, int]:
    """Have finalizers run in the midst of it."""
    count = list_files()
    if not IS_FAULTY:
        gc.collect(0)
    return {"files": count}


def count_orders(customers: list[Customer]) -> int:
    """Look at what is not loaded yet, of one after the other."""
    return sum(len(customer.orders) for customer in customers)


@app.get("/customers")
def customers() -> dict[str, int]:
    """Load lazily."""
    with Session(engine) as session:
        return {"orders": count_orders(session.query(Customer).all())}


def name_caller() -> str:
    """Say who calls, for which all files of the stack are looked at."""
    return inspect.stack()[1].function


@app.get("/callers")
def callers() -> dict[str, Any]:
    """Ask again and again who calls."""
    return {"callers": len([name_caller() for _ in range(2_000 if IS_FAULTY else 0)])}


@app.get("/ok")
def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
