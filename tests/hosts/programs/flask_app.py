"""A service of Flask: it answers, is slow at `/slow`, and fails at `/fail`."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

from flask import Flask, request
from process_facts import process_facts

logging.basicConfig(
    stream=sys.stderr,
    level=logging.INFO,
    format="%(levelname)s %(name)s %(filename)s:%(lineno)d %(funcName)s: %(message)s",
)
logger = logging.getLogger("shop")
app = Flask(__name__)


@app.get("/process")
def process() -> dict[str, Any]:
    """Return what this process is like."""
    return process_facts()


@app.get("/items/<int:number>")
def item(number: int) -> dict[str, Any]:
    """Return one item, after a moment of waiting and of work."""
    time.sleep(0.005)
    logger.warning("item %d is looked at", number)
    return {"number": number, "price": sum(range(20_000)) % (number + 1)}


@app.post("/echo")
def echo() -> bytes:
    """Return what came."""
    return request.get_data()


@app.get("/slow")
def slow() -> str:
    """Answer after longer than a request may take."""
    time.sleep(1.2)
    return "at last"


@app.get("/fail")
def fail() -> str:
    """Fail as a program with a mistake does."""
    prices: dict[str, int] = {}
    return str(prices["pear"])
