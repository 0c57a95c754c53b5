"""A service that acquires and releases its lock by hand, and keeps it while it prints."""

from __future__ import annotations

import threading
import time
from typing import Final

from flask import Flask
from switch import IS_FAULTY

app = Flask(__name__)


class Register:
    """A cash register, which one request at a time may use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sales = [3, 5]

    def close_day(self, seconds: float) -> int:
        """Add the sales up, and print them."""
        self._lock.acquire()
        try:
            total = sum(self._sales)
            if IS_FAULTY:
                self._print(total, seconds)
        finally:
            self._lock.release()
        self._print(total, 0.02)
        return total

    def sell(self, price: int) -> int:
        """Note a sale; return how many there are."""
        self._lock.acquire()
        self._sales.append(price)
        number = len(self._sales)
        self._lock.release()
        return number

    def _print(self, total: int, seconds: float) -> None:
        time.sleep(seconds if total else 0)


register: Final = Register()


@app.get("/close")
def close() -> dict[str, int]:
    """Close the day."""
    return {"total": register.close_day(1.6)}


@app.get("/sell")
def sell() -> dict[str, int]:
    """Sell something."""
    return {"sales": register.sell(7)}


@app.get("/ok")
def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
