"""A service on threads that uses others' services as one should not, each behind a path."""

from __future__ import annotations

import ssl
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import requests
from answering import serve
from flask import Flask
from requests.adapters import HTTPAdapter
from switch import IS_FAULTY
from urllib3.util.retry import Retry

app = Flask(__name__)
_SECONDS: Final = 0.9 if IS_FAULTY else 0.01


def answer(path: str) -> int:
    """Answer, some late and some not as one would like."""
    if path == "/token":
        time.sleep(_SECONDS + 0.3 * IS_FAULTY)
    elif path == "/quote":
        time.sleep(_SECONDS / 4)
    elif path.startswith("/pages"):
        time.sleep(0.015)
    return 503 if path == "/stock" and IS_FAULTY else 200


_port: Final = serve(answer)


def _url(path: str) -> str:
    return f"http://127.0.0.1:{_port}{path}"


_token: Final = threading.Lock()


def refresh_token() -> int:
    """Ask for a new one, and let nobody have the old one meanwhile."""
    with _token:
        return requests.get(_url("/token"), timeout=5).status_code


def use_token() -> int:
    """Need it for a moment."""
    with _token:
        return 1


@app.get("/refresh")
def refresh() -> dict[str, int]:
    """Have a lock while another service is asked."""
    return {"status": refresh_token()}


@app.get("/account")
def account() -> dict[str, int]:
    """Wait for the lock."""
    return {"token": use_token()}


def list_items(pages: int) -> int:
    """Ask for a page after the other."""
    return sum(requests.get(_url(f"/pages/{n}"), timeout=5).ok for n in range(pages))


@app.get("/items")
def items() -> dict[str, int]:
    """Need all pages."""
    return {"pages": list_items(40 if IS_FAULTY else 1)}


class _Rates(BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # the name is given by the base class
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


_certificates: Final = Path(__file__).parents[2] / "support" / "receivers" / "certificates"
_secure: Final = ThreadingHTTPServer(("127.0.0.1", 0), _Rates)
_context: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
_context.load_cert_chain(_certificates / "server.pem", _certificates / "server.key")
_secure.socket = _context.wrap_socket(_secure.socket, server_side=True)
threading.Thread(target=_secure.serve_forever, daemon=True).start()


def convert_all(count: int) -> int:
    """Ask for each rate over a connection of its own, which has to be made secure first."""
    url, trusted = f"https://127.0.0.1:{_secure.server_port}/", str(_certificates / "authority.pem")
    return sum(requests.get(url, verify=trusted, timeout=5).ok for _ in range(count))


@app.get("/converted")
def converted() -> dict[str, int]:
    """Keep no connection."""
    return {"rates": convert_all(100 if IS_FAULTY else 1)}


def ask_stock() -> None:
    """Ask again and again, which the client does by itself where it is told to come later."""
    session = requests.Session()
    later = Retry(4, backoff_factor=0.08, status_forcelist=[503])
    session.mount("http://", HTTPAdapter(max_retries=later))
    with suppress(requests.exceptions.RetryError):
        session.get(_url("/stock"), timeout=5)


@app.get("/stock")
def stock() -> dict[str, str]:
    """Ask who is overloaded."""
    ask_stock()
    return {"status": "asked"}


def fetch_quote() -> int:
    """Ask with a time limit that nobody has thought about."""
    return requests.get(_url("/quote"), timeout=0.1 if IS_FAULTY else 5).status_code


@app.get("/quote")
def quote() -> dict[str, int]:
    """Wait too short a time."""
    return {"status": fetch_quote()}


_users: Final[dict[str, Any]] = {"ada": {"name": "Ada"}}


def find_user(name: str) -> Any:
    """Say nothing where there is none."""
    try:
        return _users[name]
    except KeyError:
        return None


def greet_user(name: str) -> str:
    """Take it for granted that there is one."""
    return str(find_user(name)["name"].title())


@app.get("/greeting")
def greeting() -> dict[str, str]:
    """Greet who is not there."""
    return {"greeting": greet_user("bob" if IS_FAULTY else "ada")}


@app.get("/ok")
def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
