"""A service whose report never ends, in one way or another, until its server kills the worker."""

from __future__ import annotations

import itertools
import time

from flask import Flask
from switch import IS_FAULTY

app = Flask(__name__)


def fetch(seconds: float) -> None:
    """Wait for what does not come."""
    time.sleep(seconds)


def count(number: int) -> int:
    """Add up in C, which neither gives up the GIL nor looks for signals."""
    return sum(itertools.repeat(1, number))


@app.get("/report")
def report() -> dict[str, str]:
    """Make a report."""
    fetch(60 if IS_FAULTY else 0.01)
    return {"status": "done"}


@app.get("/total")
def total() -> dict[str, int]:
    """Count what there is."""
    return {"total": count(10**12 if IS_FAULTY else 10)}


@app.get("/ok")
def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
