"""A service on threads that reaches out of the process too often, or to who is not there."""

from __future__ import annotations

import http.client
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from answering import serve
from flask import Flask
from switch import IS_FAULTY

app = Flask(__name__)
_folder: Final = Path(tempfile.mkdtemp(prefix="careless-reach-"))
_SECONDS: Final = 0.9 if IS_FAULTY else 0.01


def save_rows(database: Path) -> int:
    """Write one row after the other, and each to the disk."""
    rows, until = 0, time.perf_counter() + _SECONDS
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE IF NOT EXISTS parts (number INTEGER)")
        while time.perf_counter() < until:
            connection.execute("INSERT INTO parts VALUES (1)")
            connection.commit()
            rows += 1
    return rows


@app.get("/rows")
def rows() -> dict[str, int]:
    """Commit each row by itself."""
    return {"rows": save_rows(_folder / f"parts-{threading.get_ident()}")}


_crowded: Final = socket.create_server(("127.0.0.1", 0), backlog=0)
_before: Final[list[socket.socket]] = []
for _ in range(4 * IS_FAULTY):
    _one = socket.socket()
    _one.setblocking(False)
    with suppress(BlockingIOError):
        _one.connect(_crowded.getsockname())
    _before.append(_one)


def answer(_: str) -> int:
    """Answer soon."""
    time.sleep(0.02 * IS_FAULTY)
    return 200


def answer_late(_: str) -> int:
    """Answer later than that."""
    time.sleep(_SECONDS / 9)
    return 200


_port: Final = serve(answer)


def connect_to_any() -> tuple[str, int]:
    """Try one address after the other; the first has no room for who calls."""
    for address in (_crowded.getsockname(), ("127.0.0.1", _port)):
        with suppress(OSError), socket.create_connection(address, timeout=0.9) as connection:
            host, port = connection.getpeername()
            return host, port
    raise OSError("nobody is there")


@app.get("/any")
def any_of_them() -> dict[str, int]:
    """Fall back to another address."""
    return {"port": connect_to_any()[1]}


def fetch_page(number: int) -> int:
    """Fetch one page; no span tells of it."""
    connection = http.client.HTTPConnection("127.0.0.1", _port)
    try:
        connection.request("GET", f"/pages/{number}")
        return connection.getresponse().status
    finally:
        connection.close()


_shards: Final = [serve(answer_late) for _ in range(9)]


def ask_shards() -> int:
    """Ask one after the other, each of which answers soon."""
    found = 0
    for port in _shards:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            found += len(connection.recv(10))
    return found


@app.get("/shards")
def shards() -> dict[str, int]:
    """Ask many, each of which takes a small part of the time."""
    return {"found": ask_shards()}


def check_out() -> None:
    """Do four things that take as long as each other."""
    seconds = _SECONDS / 4
    subprocess.run(["sleep", str(seconds)], check=True)
    time.sleep(seconds)
    with socket.create_connection(("127.0.0.1", _shards[0])) as connection:
        connection.settimeout(seconds)
        with suppress(TimeoutError):
            connection.recv(10)
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


@app.get("/checkout")
def checkout() -> dict[str, str]:
    """Do one thing after the other."""
    check_out()
    return {"status": "paid"}


@app.get("/pages")
def pages() -> dict[str, int]:
    """Fetch one page after the other."""
    return {"pages": len([fetch_page(n) for n in range(40 if IS_FAULTY else 1)])}


_COUNT: Final = (
    "WITH RECURSIVE all_of_them(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM all_of_them"
    f" WHERE n < {6_000_000 if IS_FAULTY else 10}) SELECT max(n) FROM all_of_them"
)


def find_order() -> int:
    """Look at every row there is."""
    with sqlite3.connect(":memory:") as connection:
        return int(connection.execute(_COUNT).fetchone()[0])


@app.get("/found")
def found() -> dict[str, int]:
    """Ask a database for what has no index."""
    return {"found": find_order()}


def run_tool(size: int) -> None:
    """Wait for the end of a program, without reading what it says."""
    program = f"print('x' * {size})"
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", program], stdout=subprocess.PIPE
    ) as tool:
        try:
            tool.wait(0.9)
        except subprocess.TimeoutExpired:
            tool.kill()


@app.get("/tool")
def tool() -> dict[str, str]:
    """Wait for a program that waits for us."""
    run_tool(1_000_000 if IS_FAULTY else 10)
    return {"status": "done"}


@app.get("/ok")
def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
