"""A service whose export keeps a lock that every change needs."""

from __future__ import annotations

import threading
import time
from typing import Final

from flask import Flask
from switch import IS_FAULTY

app = Flask(__name__)


class Catalogue:
    """Items, which one request at a time may look at."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._items = ["tea", "milk"]

    def write_all(self, seconds: float) -> None:
        """Write all items to a slow place."""
        if IS_FAULTY:
            with self._lock:
                self._write(self._items, seconds)
        else:
            with self._lock:
                items = list(self._items)
            self._write(items, 0.05)

    def add(self, item: str) -> int:
        """Add an item; return how many there are."""
        with self._lock:
            self._items.append(item)
            return len(self._items)

    def _write(self, items: list[str], seconds: float) -> None:
        time.sleep(seconds if items else 0)


catalogue: Final = Catalogue()


@app.get("/export")
def export() -> dict[str, str]:
    """Export the catalogue."""
    catalogue.write_all(1.6)
    return {"status": "written"}


@app.get("/add")
def add() -> dict[str, int]:
    """Add an item to the catalogue."""
    return {"items": catalogue.add("bread")}


@app.get("/ok")
def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
