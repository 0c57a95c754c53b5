"""A server for one person on this machine: only on 127.0.0.1, only behind its token, only reading.

Other users of the machine can connect to the port, and so can any page that a browser has open, by
a name that it lets point here. The first do not know the token; the second have another Host.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from otel_flight.errors import FlightError

HTML: Final = "text/html; charset=utf-8"
JSON: Final = "application/json"
_TEXT: Final = "text/plain; charset=utf-8"
_ADDRESS: Final = "127.0.0.1"
_SECONDS: Final = 30.0
"""A connection that says nothing for so many seconds is closed."""
_HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Answer(NamedTuple):
    """What is sent back."""

    kind: str
    """Its media type."""
    body: bytes


class SpoolServer(ThreadingHTTPServer):
    """Listens on a port of 127.0.0.1, from when it is made until its `with` block ends.

    Args:
        port: 0 takes a free one.
        token: the first part of every path that is answered.
        find: returns what there is at the rest of a path; None: nothing. Called on any thread.
    """

    daemon_threads = True

    def __init__(self, port: int, token: str, find: Callable[[str], Answer | None]) -> None:
        self.token = token
        self.find = find
        super().__init__((_ADDRESS, port), _Handler)

    @property
    def url(self) -> str:
        """The address of the list, with the token in it."""
        return f"http://{_ADDRESS}:{self.server_port}/{self.token}/"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a browser that hung up."""


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection; any method but GET and HEAD is refused by its base class."""

    server: SpoolServer
    timeout = _SECONDS
    server_version = "otel-flight"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer with what there is."""
        self._answer(has_body=True)

    def do_HEAD(self) -> None:
        """Answer without it."""
        self._answer(has_body=False)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing: paths have the token in them."""

    def _answer(self, *, has_body: bool) -> None:
        status, answer = self._found()
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if has_body:
            self.wfile.write(answer.body)

    def _found(self) -> tuple[HTTPStatus, Answer]:
        token, slash, rest = unquote(urlsplit(self.path).path).removeprefix("/").partition("/")
        is_known = hmac.compare_digest(token.encode(), self.server.token.encode())
        if not self._is_for_us() or not is_known or not slash:
            return _refusal(HTTPStatus.FORBIDDEN, "the address needs the token that was printed")
        try:
            found = self.server.find(rest)
        except (FlightError, OSError) as error:
            return _refusal(HTTPStatus.NOT_FOUND, str(error))
        if found is None:
            return _refusal(HTTPStatus.NOT_FOUND, "there is no such page")
        return HTTPStatus.OK, found

    def _is_for_us(self) -> bool:
        """Whether the browser means this machine, and not a name that somebody points here."""
        port = self.server.server_port
        return self.headers.get("Host") in {f"{_ADDRESS}:{port}", f"localhost:{port}"}


def _refusal(status: HTTPStatus, words: str) -> tuple[HTTPStatus, Answer]:
    return status, Answer(_TEXT, f"otel-flight: {words}\n".encode())
