"""A service of another team, as far as the one under test can tell: it answers by HTTP."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode

tracer = trace.get_tracer("client")


def serve(answer: Callable[[str], int]) -> int:
    """Serve what `answer` says to each path, a status, on threads; return the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name is given by the base class
            self.send_response(answer(self.path))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def ask(port: int, path: str, timeout_seconds: float = 10.0) -> int:
    """Ask for a path within a client span, as instrumented clients do, and return the status.

    Raises:
        OSError: there was no answer in time.
    """
    attributes: dict[str, str | int] = {
        "http.request.method": "GET",
        "server.address": "127.0.0.1",
        "server.port": port,
        "url.full": f"http://127.0.0.1:{port}{path}",
    }
    with tracer.start_as_current_span("GET", kind=SpanKind.CLIENT, attributes=attributes) as span:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_seconds)
        try:
            connection.request("GET", path)
            status = connection.getresponse().status
        finally:
            connection.close()
        span.set_attribute("http.response.status_code", status)
        if status >= 400:
            span.set_status(Status(StatusCode.ERROR))
        return status
