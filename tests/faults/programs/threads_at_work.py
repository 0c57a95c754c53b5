"""A service on threads with many things that can take long, each behind a path of its own."""

from __future__ import annotations

import fcntl
import importlib
import json
import logging
import os
import queue
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from flask import Flask
from opentelemetry import trace
from switch import IS_FAULTY

app = Flask(__name__)
tracer = trace.get_tracer("shop")
_folder = Path(tempfile.mkdtemp(prefix="threads-at-work-"))
_SECONDS: Final = 0.9 if IS_FAULTY else 0.01


def burn(seconds: float) -> int:
    """Compute for some time."""
    until, turns = time.perf_counter() + seconds, 0
    while time.perf_counter() < until:
        turns += sum(range(100))
    return turns


def render_rows() -> int:
    """Make a page of many rows."""
    return burn(_SECONDS)


@app.get("/report")
def report() -> dict[str, int]:
    """Answer with what takes long to compute, in no span."""
    return {"rows": render_rows()}


def total_up() -> int:
    """Add up what the database answered."""
    return burn(_SECONDS)


@app.get("/invoice")
def invoice() -> dict[str, int]:
    """Compute between two spans that are short."""
    with tracer.start_as_current_span("SELECT item"):
        time.sleep(0.01)
    total = total_up()
    with tracer.start_as_current_span("INSERT invoice"):
        return {"total": total}


@app.get("/priced")
def priced() -> dict[str, int]:
    """Compute within a span around it."""
    with tracer.start_as_current_span("price all"):
        return {"price": total_up()}


def back_off() -> None:
    """Wait before it is tried again."""
    time.sleep(_SECONDS)


@app.get("/pay")
def pay() -> dict[str, str]:
    """Sleep."""
    back_off()
    return {"status": "paid"}


def ask_bank(connection: socket.socket) -> bytes:
    """Wait for an answer."""
    return connection.recv(10)


@app.get("/transfer")
def transfer() -> dict[str, str]:
    """Wait for a peer that nothing was instrumented for."""
    ours, theirs = socket.socketpair()
    threading.Timer(_SECONDS, theirs.sendall, [b"done"]).start()
    return {"status": ask_bank(ours).decode()}


def convert() -> None:
    """Let another program do it."""
    subprocess.run(["sleep", str(_SECONDS)], check=True)


@app.get("/picture")
def picture() -> dict[str, str]:
    """Wait for another program."""
    convert()
    return {"status": "converted"}


def read_mail(path: Path) -> str:
    """Read what comes through a pipe."""
    with path.open(encoding="utf-8") as pipe:
        return pipe.read()


@app.get("/mail")
def mail() -> dict[str, str]:
    """Read a file that answers late."""
    path = _folder / f"mail-{threading.get_ident()}"
    os.mkfifo(path)
    threading.Timer(_SECONDS, path.write_text, ["hello"]).start()
    return {"mail": read_mail(path)}


def load_plugin() -> Any:
    """Import what is needed for the first time."""
    return importlib.import_module("slow_plugin")


@app.get("/plugin")
def plugin() -> dict[str, str]:
    """Import a module within a request."""
    (_folder / "slow_plugin.py").write_text(
        f"import time\nuntil = time.time() + {_SECONDS}\nwhile time.time() < until:\n    pass\n"
    )
    sys.path.insert(0, str(_folder))
    return {"plugin": load_plugin().__name__}


def next_ticket(tickets: queue.Queue[int]) -> int:
    """Take the next one."""
    return tickets.get(timeout=5)


@app.get("/ticket")
def ticket() -> dict[str, int]:
    """Wait for what another thread puts into a queue."""
    tickets: queue.Queue[int] = queue.Queue()
    threading.Timer(_SECONDS, tickets.put, [7]).start()
    return {"ticket": next_ticket(tickets)}


_pool = ThreadPoolExecutor(4, thread_name_prefix="resizer")


def resize() -> int:
    """Make a picture smaller."""
    return burn(_SECONDS)


@app.get("/thumbnail")
def thumbnail() -> dict[str, int]:
    """Wait for a job that another thread has got at once."""
    return {"size": _pool.submit(resize).result()}


def wait_for_approval(approved: threading.Event) -> bool:
    """Wait until somebody says yes."""
    return approved.wait(5)


@app.get("/approve")
def approve() -> dict[str, bool]:
    """Wait for an event."""
    approved = threading.Event()
    threading.Timer(_SECONDS, approved.set).start()
    return {"approved": wait_for_approval(approved)}


def lock_file(path: Path) -> None:
    """Be the only one for a moment."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)


@app.get("/backup")
def backup() -> dict[str, str]:
    """Wait for the lock of another process."""
    path = _folder / "lock"
    program = (
        "import fcntl, sys, time; file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX); "
        f"print('locked', flush=True); time.sleep({_SECONDS})"
    )
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", program, str(path)], stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        lock_file(path)
    return {"status": "backed up"}


def write_order(database: Path) -> None:
    """Write to a database that another connection is writing to."""
    with sqlite3.connect(database, timeout=5) as connection:
        connection.execute("INSERT INTO orders VALUES (1)")


@app.get("/order")
def order() -> dict[str, str]:
    """Wait for the lock of a database."""
    database = _folder / f"orders-{threading.get_ident()}"
    other = sqlite3.connect(database, check_same_thread=False, isolation_level=None)
    other.execute("CREATE TABLE orders (number INTEGER)")
    other.execute("BEGIN EXCLUSIVE")
    threading.Timer(_SECONDS, other.execute, ["COMMIT"]).start()
    write_order(database)
    return {"status": "ordered"}


_many: Final = [{"number": number, "text": "x" * 20} for number in range(400_000 * IS_FAULTY)]


def encode() -> str:
    """Encode everything there is."""
    return json.dumps([_many] * 8)


@app.get("/dump")
def dump() -> dict[str, int]:
    """Spend the time in one native call."""
    return {"length": len(encode())}


class SlowHandler(logging.Handler):
    """It writes to something that is slow."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        time.sleep(_SECONDS)


audit = logging.getLogger("audit")
audit.addHandler(SlowHandler())
audit.propagate = False


@app.get("/audit")
def audited() -> dict[str, str]:
    """Log to a handler that is slow."""
    audit.warning("a change")
    return {"status": "logged"}


class Rates:
    """Exchange rates that are read when they are needed first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rates: dict[str, float] | None = None

    def get(self) -> dict[str, float]:
        """Return the rates; one thread reads them, and all others wait for it."""
        with self._lock:
            if self._rates is None:
                self._rates = self.read_rates()
            return self._rates

    def read_rates(self) -> dict[str, float]:
        """Read the rates from far away."""
        time.sleep(_SECONDS)
        return {"EUR": 1.0}


rates: Final = Rates()


@app.get("/rates")
def all_rates() -> dict[str, float]:
    """Need what one request has to read first."""
    return rates.get()


_HARD: Final = re.compile(r"(a+)+$")


def match_badly() -> bool:
    """Match what takes exponentially long."""
    return _HARD.match("a" * (25 if IS_FAULTY else 5) + "b") is not None


def match_in_background(then: Callable[[], object] = match_badly) -> None:
    """Let a thread that serves no request do it."""
    threading.Thread(target=then, name="matcher").start()


@app.get("/quick")
def quick() -> dict[str, str]:
    """Be held up by a thread that holds the GIL."""
    match_in_background()
    time.sleep(0.01)
    return {"status": "quick"}


@app.get("/search/<tenant>")
def search(tenant: str) -> dict[str, str]:
    """Be slow for one tenant, who has far more than the others."""
    trace.get_current_span().set_attribute("tenant", tenant)
    time.sleep(_SECONDS if tenant == "acme" else 0.01)
    return {"tenant": tenant}


@app.get("/ok")
def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
