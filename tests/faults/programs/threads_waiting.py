"""A service on threads that waits for what others have, or for who never comes."""

from __future__ import annotations

import fcntl
import logging
import os
import queue
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from flask import Flask
from opentelemetry import trace
from switch import IS_FAULTY

app = Flask(__name__)
_folder = Path(tempfile.mkdtemp(prefix="threads-waiting-"))
_SECONDS: Final = 0.9 if IS_FAULTY else 0.01
_silent: Final = socket.create_server(("127.0.0.1", 0))
_answering: Final = socket.create_server(("127.0.0.1", 0))


def answer_at_once() -> None:
    """Answer each who connects, and close."""
    while True:
        with suppress(OSError), _answering.accept()[0] as peer:
            peer.recv(4096)
            peer.sendall(b"HTTP/1.0 200 OK\r\n\r\nok")


threading.Thread(target=answer_at_once, daemon=True).start()
_peer: Final = (_silent if IS_FAULTY else _answering).getsockname()


_OTHER: Final = """
import fcntl, sqlite3, sys, time
folder, seconds = sys.argv[1], float(sys.argv[2])
base = sqlite3.connect(folder + "/base", isolation_level=None)
base.execute("CREATE TABLE orders (item)")
print("is there", flush=True)
for line in sys.stdin:
    if line.strip() == "lock":
        with open(folder + "/lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            print("has it", flush=True)
            time.sleep(seconds)
    else:
        base.execute("BEGIN EXCLUSIVE")
        print("has it", flush=True)
        time.sleep(seconds)
        base.execute("COMMIT")
"""
_other: Final = subprocess.Popen(
    [sys.executable, "-I", "-c", _OTHER, str(_folder), str(_SECONDS)],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
)
"""It has the lock of a file, or of the database, for some time when it is asked to."""
assert _other.stdin is not None
assert _other.stdout is not None
_other.stdout.readline()


def let_other_have(what: str) -> None:
    """Return when the other program has what is asked for."""
    assert _other.stdin is not None
    assert _other.stdout is not None
    _other.stdin.write(f"{what}\n")
    _other.stdin.flush()
    _other.stdout.readline()


def draw_all(seconds: float = _SECONDS) -> int:
    """Draw for a long time, on a thread of the pool."""
    time.sleep(seconds)
    return 1


_drawing: Final = ThreadPoolExecutor(1, thread_name_prefix="drawing")


@app.get("/drawn")
def drawn() -> dict[str, int]:
    """Wait for what a thread of a pool does."""
    return {"drawn": _drawing.submit(draw_all).result()}


@app.get("/sketch")
def sketch() -> dict[str, int]:
    """Wait for a thread of a pool that has much to do."""
    _drawing.submit(draw_all)
    return {"drawn": _drawing.submit(draw_all, 0.001).result()}


@app.get("/all")
def all_at_once() -> dict[str, int]:
    """Wait for the end of a thread."""
    thread = threading.Thread(target=draw_all)
    thread.start()
    thread.join()
    return {"drawn": 1}


def lock_stock() -> None:
    """Take the lock of the file of stock."""
    with (_folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)


@app.get("/stock")
def stock() -> dict[str, str]:
    """Wait for a file lock that another program has."""
    let_other_have("lock")
    lock_stock()
    return {"stock": "locked"}


def insert_order() -> None:
    """Write an order."""
    with sqlite3.connect(_folder / "base", timeout=5) as orders:
        orders.execute("INSERT INTO orders VALUES (1)")


@app.get("/order")
def order() -> dict[str, str]:
    """Wait for a database that another program writes to."""
    let_other_have("database")
    insert_order()
    return {"order": "written"}


_reading, _writing = os.pipe()
_auditing = logging.getLogger("audit")
_auditing.propagate = False
_auditing.addHandler(logging.StreamHandler(os.fdopen(_writing, "w")))


def drain() -> None:
    """Read what was logged, but not at once."""
    time.sleep(_SECONDS)
    size = 0
    while size < 200_000:
        size += len(os.read(_reading, 65_536))


def write_audit() -> None:
    """Log more than a pipe takes."""
    for _ in range(2_000):
        _auditing.error("x" * 100)


@app.get("/audit")
def audit() -> dict[str, str]:
    """Wait for a log handler whose pipe nobody reads."""
    threading.Thread(target=drain).start()
    write_audit()
    return {"audit": "written"}


_mails: Final[queue.Queue[int]] = queue.Queue(1)


def send_mails() -> None:
    """Send what is in the queue, slowly."""
    while True:
        time.sleep(_SECONDS)
        _mails.get()


def enqueue_mail() -> None:
    """Have a mail sent."""
    _mails.put(1)


@app.get("/mail")
def mail() -> dict[str, str]:
    """Wait for room in a queue that somebody reads slowly."""
    threading.Thread(target=send_mails, daemon=True).start()
    enqueue_mail()
    enqueue_mail()
    return {"mail": "queued"}


def reload_prices(ready: threading.Event) -> None:
    """Read all prices, and say so."""
    time.sleep(_SECONDS)
    ready.set()


@app.get("/prices")
def prices() -> dict[str, str]:
    """Wait until somebody says that it is ready."""
    ready = threading.Event()
    threading.Thread(target=reload_prices, args=[ready]).start()
    ready.wait()
    return {"prices": "read"}


def ask_bank() -> bytes:
    """Ask a service that never answers, for a limited time."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{_peer[1]}/", timeout=0.9) as answer:
            content: bytes = answer.read()
    except OSError:
        content = b"unknown"
    return content


@app.get("/balance")
def balance() -> dict[str, str]:
    """Answer with a guess, as the bank does not answer."""
    return {"balance": ask_bank().decode()}


def greet_bank() -> None:
    """Begin TLS with a service that never answers."""
    with socket.create_connection(_peer, timeout=0.9) as plain, suppress(OSError):
        ssl.create_default_context().wrap_socket(plain, server_hostname="bank")


@app.get("/greeting")
def greeting() -> dict[str, str]:
    """Wait for a handshake."""
    greet_bank()
    return {"greeting": "tried"}


def send_archive(peer: socket.socket) -> None:
    """Send what the peer does not read."""
    with suppress(OSError):
        peer.sendall(bytes(8_000_000))


def read_late(there: socket.socket) -> None:
    """Read, but not at once."""
    time.sleep(_SECONDS)
    while there.recv(1 << 20):
        pass


@app.get("/archive")
def archive() -> dict[str, str]:
    """Wait for a client that does not read."""
    here, there = socket.socketpair()
    threading.Thread(target=read_late, args=[there]).start()
    send_archive(here)
    here.close()
    return {"archive": "sent"}


def render_orders(rows: int) -> int:
    """Make a line of each row."""
    return sum(len(f"{row};{row * 7}") for row in range(rows))


@app.get("/export/<int:rows>")
def export(rows: int) -> dict[str, Any]:
    """Take long where there is far more than usual."""
    with trace.get_tracer("shop").start_as_current_span("SELECT order") as span:
        rows = rows if IS_FAULTY else min(rows, 100)
        span.set_attribute("db.response.returned_rows", rows)
    return {"size": render_orders(rows)}


@app.get("/ok")
def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
