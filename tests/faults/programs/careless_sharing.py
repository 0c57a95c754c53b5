"""A service on threads that get into each other's way, each time by something else they share."""

from __future__ import annotations

import importlib
import multiprocessing
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

from flask import Flask
from switch import IS_FAULTY

app = Flask(__name__)
_folder: Final = Path(tempfile.mkdtemp(prefix="careless-sharing-"))
_SECONDS: Final = 0.9 if IS_FAULTY else 0.01


def burn(cpu_seconds: float) -> int:
    """Compute for so much time of a CPU."""
    until, turns = time.thread_time() + cpu_seconds, 0
    while time.thread_time() < until:
        turns += sum(range(100))
    return turns


_cache: Final[dict[str, int]] = {}


def rank_all() -> int:
    """Compute what is then kept."""
    return burn(0.16 if IS_FAULTY else 0.002)


@app.get("/ranking")
def ranking() -> dict[str, int]:
    """Compute it if it is not there, as all who ask at the same time do."""
    if "ranking" not in _cache:
        _cache["ranking"] = rank_all()
    return {"ranking": _cache["ranking"]}


_printers: Final = threading.BoundedSemaphore(2)


def print_label(seconds: float) -> None:
    """Have one of the two printers."""
    with _printers:
        time.sleep(seconds)


@app.get("/print")
def printed() -> dict[str, str]:
    """Have a printer for long."""
    print_label(_SECONDS + 0.3 * IS_FAULTY)
    return {"status": "printed"}


@app.get("/label")
def label() -> dict[str, str]:
    """Wait for a printer."""
    print_label(0.001)
    return {"status": "printed"}


_left: Final = threading.Lock()
_right: Final = threading.Lock()


def move(first: Any, second: Any) -> bool:
    """Take two locks, and give up on the second."""
    with first:
        time.sleep(0.1 if IS_FAULTY else 0)
        is_mine = bool(second.acquire(timeout=0.9))
        if is_mine:
            second.release()
        return is_mine


def move_right() -> bool:
    """Take the left one first."""
    return move(_left, _right)


def move_left() -> bool:
    """Take the right one first."""
    return move(_right, _left)


@app.get("/right")
def right() -> dict[str, bool]:
    """Have the left lock, and wait for the right one."""
    return {"moved": move_right()}


@app.get("/left")
def left() -> dict[str, bool]:
    """Have the right lock, and wait for the left one."""
    return {"moved": move_left()}


class Limiter:
    """It lets so many through in a second."""

    def __init__(self, apart_seconds: float) -> None:
        self._apart_seconds = apart_seconds
        self._lock = threading.Lock()

    def pass_one(self) -> None:
        """Return when it is one's turn."""
        with self._lock:
            time.sleep(self._apart_seconds)


_limiter: Final = Limiter(0.2 if IS_FAULTY else 0.001)


@app.get("/limited")
def limited() -> dict[str, str]:
    """Wait for one's turn."""
    _limiter.pass_one()
    return {"status": "passed"}


def rebuild_index() -> int:
    """Compute for long, at a time of day."""
    until, turns = time.thread_time() + 1, 0
    while time.thread_time() < until:
        turns += sum(range(100))
    return turns


def add_up() -> int:
    """Compute for a short time."""
    return burn(0.15 if IS_FAULTY else 0.01)


@app.get("/sum")
def sum_up() -> dict[str, int]:
    """Have three jobs beside oneself that want the GIL as well."""
    for number in range(3 * IS_FAULTY):
        threading.Thread(target=rebuild_index, name=f"cron-{number}").start()
    return {"sum": add_up()}


_menu: Final = threading.Lock()
_wanted: Final = threading.Event()


def refresh_menu() -> None:
    """Read everything anew when it is wanted, for nobody in particular."""
    while True:
        _wanted.wait()
        with _menu:
            time.sleep(_SECONDS)
        _wanted.clear()


threading.Thread(target=refresh_menu, daemon=True).start()


def read_menu() -> int:
    """Read while nobody changes it."""
    with _menu:
        return 1


@app.get("/menu")
def menu() -> dict[str, int]:
    """Wait for a lock that no request has."""
    _wanted.set()
    time.sleep(0.02)
    return {"menu": read_menu()}


def parse_feed(is_read: threading.Event, feed: str) -> None:
    """Read it, and say so; or fail, and say nothing."""
    int(feed)
    is_read.set()


def wait_for_feed(is_read: threading.Event) -> bool:
    """Wait, but not for ever."""
    return is_read.wait(0.9)


@app.get("/feed")
def feed() -> dict[str, bool]:
    """Wait for a thread that has died."""
    is_read = threading.Event()
    threading.Thread(target=parse_feed, args=[is_read, "x" * IS_FAULTY or "1"]).start()
    return {"read": wait_for_feed(is_read)}


(_folder / "slow_tariffs.py").write_text(f"import time\ntime.sleep({_SECONDS + 0.3 * IS_FAULTY})\n")
sys.path.insert(0, str(_folder))


def load_tariffs() -> Any:
    """Import what takes long."""
    return importlib.import_module("slow_tariffs")


@app.get("/load")
def load() -> dict[str, str]:
    """Import it first."""
    return {"module": load_tariffs().__name__}


@app.get("/tariffs")
def tariffs() -> dict[str, str]:
    """Import what another thread is importing."""
    return {"module": load_tariffs().__name__}


_shared: Any = multiprocessing.get_context("fork").Manager().dict() if IS_FAULTY else {}


def count_words(count: int) -> int:
    """Ask another process for each number."""
    for number in range(count):
        _shared["words"] = _shared.get("words", 0) + number
    return int(_shared["words"])


@app.get("/words")
def words() -> dict[str, int]:
    """Use a dictionary that is in another process."""
    return {"words": count_words(25_000 if IS_FAULTY else 10)}


@app.get("/ok")
def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
