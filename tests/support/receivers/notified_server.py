"""A server that is told of incidents: what it was told, and what it answers."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class NotifiedServer:
    """Takes what is posted.

    Attributes:
        url: where to.
        answers: statuses of the next answers; 200 when there is none left.
        delay: is waited for before an answer, if it is not set.
        received: paths and bodies.
    """

    def __init__(self) -> None:
        self.received: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.answers: list[int] = []
        self.delay = threading.Event()
        self.delay.set()
        told = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                told.received.put((self.path, json.loads(body)))
                told.delay.wait(20)
                status = told.answers.pop(0) if told.answers else 200
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", f"{told.url}/login")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def next(self) -> tuple[str, Any]:
        """Wait for the next one."""
        return self.received.get(timeout=20)

    @contextlib.contextmanager
    def running(self) -> Iterator[NotifiedServer]:
        """Serve."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield self
        finally:
            self.delay.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()
