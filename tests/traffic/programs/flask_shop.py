"""A shop of Flask: much goes other than well in it, and nothing is wrong until a fault is."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from typing import Final, NoReturn

import requests
from flask import Flask, Response, abort
from opentelemetry import trace

DOWNSTREAM: Final = os.environ["DOWNSTREAM"]
LONG_SECONDS: Final = 1.5
app = Flask(__name__)
tracer = trace.get_tracer("shop")


@app.errorhandler(ValueError)
def refuse(error: ValueError) -> tuple[str, int]:
    """Say what is wrong with a request."""
    return str(error), 400


@app.get("/items/<int:number>")
def item(number: int) -> dict[str, int]:
    """Return an item."""
    return {"number": number}


@app.get("/refused/<int:status>")
def refused(status: int) -> NoReturn:
    """Refuse a request."""
    abort(status)


@app.get("/invalid")
def invalid() -> NoReturn:
    """Find a request wrong."""
    with tracer.start_as_current_span("check order"):
        raise ValueError("no such currency")


@app.get("/exists")
def exists() -> dict[str, bool]:
    """Ask another service whether something exists."""
    return {"exists": requests.head(f"{DOWNSTREAM}/status/404", timeout=5).ok}


@app.get("/export")
def export() -> Response:
    """Send rows for a while."""

    def rows() -> Iterator[str]:
        for number in range(4):
            yield f"{number}\n"
            time.sleep(LONG_SECONDS / 3)

    return Response(rows(), mimetype="text/csv")


@app.get("/bug")
def bug() -> dict[str, str]:
    """Have a bug."""
    order: dict[str, str] = {}
    return {"address": order["address"]}


@app.get("/unavailable")
def unavailable() -> NoReturn:
    """Give up."""
    abort(503)


@app.get("/gateway")
def gateway() -> dict[str, int]:
    """Fail with another service."""
    response = requests.get(f"{DOWNSTREAM}/status/503", timeout=5)
    response.raise_for_status()
    return {}


@app.get("/deep")
def deep() -> dict[str, int]:
    """Fail far below."""

    def descend() -> int:
        return 1 + descend()

    return {"depth": descend()}


@app.get("/slow")
def slow() -> dict[str, str]:
    """Answer late."""
    time.sleep(LONG_SECONDS)
    return {}


@app.get("/thread")
def thread() -> dict[str, str]:
    """Begin what dies."""

    def die() -> None:
        raise OSError("the printer is on fire")

    threading.Thread(target=die, name="printer").start()
    return {}
