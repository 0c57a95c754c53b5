"""A service on threads that fails in ways whose reason is somewhere else, each behind a path."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
import threading
import urllib.request
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from flask import Flask, Response, request
from jinja2 import Environment, StrictUndefined
from sqlalchemy import StaticPool, create_engine, text
from switch import IS_FAULTY

app = Flask(__name__)
_forking: Final = multiprocessing.get_context("fork")


def price_item(item: str) -> int:
    """Fail in another process."""
    return int(item)


@app.get("/priced")
def priced() -> dict[str, int]:
    """Leave the work to another process."""
    with ProcessPoolExecutor(1, _forking) as pool:
        return {"price": pool.submit(price_item, "x" if IS_FAULTY else "1").result()}


def parse_upload(is_bad: bool) -> int:
    """End the process that does it, as the kernel does where memory runs out."""
    if is_bad:
        os.kill(os.getpid(), signal.SIGKILL)
    return 1


@app.get("/parsed")
def parsed() -> dict[str, int]:
    """Lose the other process."""
    with ProcessPoolExecutor(1, _forking) as pool:
        return {"parsed": pool.submit(parse_upload, IS_FAULTY).result()}


_sessions: Final = dict.fromkeys(range(10), "open")


def list_sessions() -> list[int]:
    """Go through what changes meanwhile."""
    found = []
    for number in _sessions:
        if IS_FAULTY:
            _sessions[number + 100] = "new"
        found.append(number)
    return found


@app.get("/sessions")
def sessions() -> dict[str, int]:
    """Change what one goes through."""
    return {"sessions": len(list_sessions())}


class Upstream(BaseHTTPRequestHandler):
    """Another service, which answers with a page where JSON is expected."""

    def do_GET(self) -> None:  # the name is given by the base class
        """Answer 200 all the same."""
        body = b"<html>Down for maintenance</html>" if IS_FAULTY else b"{}"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


_upstream: Final = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
threading.Thread(target=_upstream.serve_forever, daemon=True).start()


def read_rates() -> Any:
    """Read what another service answers."""
    with urllib.request.urlopen(f"http://127.0.0.1:{_upstream.server_port}/") as answer:
        return json.load(answer)


@app.get("/rates")
def rates() -> dict[str, int]:
    """Get a page where JSON is expected."""
    return {"rates": len(read_rates())}


def total_of(part: dict[str, Any]) -> int:
    """Add up what contains itself."""
    return sum(total_of(each) for each in part["parts"]) + 1


@app.get("/total")
def total() -> dict[str, int]:
    """Go round in circles."""
    part: dict[str, Any] = {"parts": []}
    if IS_FAULTY:
        part["parts"].append(part)
    return {"total": total_of(part)}


_pool: Final = ThreadPoolExecutor(1)


def resize(size: int) -> float:
    """Fail on another thread."""
    return 100 / size


@app.get("/resized")
def resized() -> dict[str, float]:
    """Leave the work to another thread."""
    return {"size": _pool.submit(resize, 0 if IS_FAULTY else 1).result()}


_keys: Final[dict[str, str]] = {}


@app.after_request
def sign_answer(answer: Response) -> Response:
    """Fail after the view has answered."""
    if request.path == "/signed" and IS_FAULTY:
        answer.headers["Signature"] = _keys["signature"]
    return answer


@app.get("/signed")
def signed() -> dict[str, str]:
    """Do nothing wrong itself."""
    return {"status": "signed"}


_page: Final = Environment(undefined=StrictUndefined, autoescape=True).from_string(
    "{% for row in rows %}{{ row.name.upper() }}{% endfor %}"
)


def render_rows(rows: list[dict[str, str]]) -> str:
    """Make a page of what lacks something."""
    return _page.render(rows=rows)


@app.get("/page")
def page() -> dict[str, int]:
    """Fail in a template."""
    return {"length": len(render_rows([{} if IS_FAULTY else {"name": "x"}]))}


_engine: Final = create_engine(
    "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
)
with _engine.begin() as _connection:
    _connection.execute(text("CREATE TABLE customers (number INTEGER UNIQUE)"))
    _connection.execute(text("INSERT INTO customers VALUES (1)"))


def save_customer(number: int) -> None:
    """Write what is there already."""
    with _engine.begin() as connection:
        connection.execute(text("INSERT INTO customers VALUES (:number)"), {"number": number})


@app.get("/saved")
def saved() -> dict[str, str]:
    """Write it once more."""
    save_customer(1 if IS_FAULTY else 2)
    return {"status": "saved"}


async def ask_all() -> list[int]:
    """Ask two, of whom one fails."""
    return list(await asyncio.gather(ask_one(1), ask_one(0 if IS_FAULTY else 1)))


async def ask_one(number: int) -> int:
    """Fail for one of them."""
    await asyncio.sleep(0)
    return 1 // number


@app.get("/asked")
def asked() -> dict[str, int]:
    """Run an event loop within a request."""
    return {"asked": sum(asyncio.run(ask_all()))}


@app.get("/ok")
def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
