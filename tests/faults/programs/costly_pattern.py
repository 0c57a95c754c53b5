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
    """Look names up, and return how many of them are well-formed."""
    well_formed = 0
    for name in names:
        well_formed += PATTERN.match(name) is not None
        time.sleep(0.01)
    return well_formed


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
