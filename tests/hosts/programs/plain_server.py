"""A service without a framework, and without a handler of any signal.

python plain_server.py PORT
"""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry import trace
from opentelemetry.trace import SpanKind
from process_facts import process_facts

tracer = trace.get_tracer("plain")


class Handler(BaseHTTPRequestHandler):
    """Serve the requests of the tests, each within a span."""

    def do_GET(self) -> None:
        """Answer, late at `/slow`, and with an error at `/fail`."""
        path = self.path.rpartition("/")[0] or self.path
        try:
            with tracer.start_as_current_span(f"GET {path}", kind=SpanKind.SERVER):
                self._answer(200, self._content())
        except KeyError:
            self._answer(500, "broken")

    def do_POST(self) -> None:
        """Return what came."""
        with tracer.start_as_current_span("POST /echo", kind=SpanKind.SERVER):
            self._answer(200, self.rfile.read(int(self.headers["Content-Length"])).decode())

    def _content(self) -> str:
        if self.path == "/process":
            return json.dumps(process_facts())
        if self.path == "/slow":
            time.sleep(1.2)
        elif self.path == "/fail":
            raise KeyError("pear")
        else:
            time.sleep(0.005)
        return self.path

    def _answer(self, status: int, content: str) -> None:
        body = content.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main(port: str) -> None:
    """Serve until something ends the process."""
    ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
