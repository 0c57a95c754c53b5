"""A service with a pattern that takes exponential time, which no other thread can interrupt."""

from __future__ import annotations

import re
import time
from typing import Final

from flask import Flask
from switch import IS_FAULTY

app = Flask(__name__)
PATTERN: Final = re.compile(r"(\w+\s?)+$" if IS_FAULTY else r"[\w\s]+$")


def check_names(names: list[str]) -> int:
    """Return how many names are well-formed."""
    return sum(1 for name in names if PATTERN.match(name))


@app.get("/import")
def import_names() -> dict[str, int]:
    """Check the names of a file."""
    return {"names": check_names(["a" * 22 + "!"] * 6)}


@app.get("/quick")
def quick() -> dict[str, str]:
    """Wait for a database a few times."""
    for _ in range(5):
        time.sleep(0.02)
    return {"status": "ok"}


@app.get("/ok")
def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
