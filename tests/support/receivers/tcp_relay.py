"""A relay in front of a server, whatever protocol it speaks, that makes it slow or mute."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import final

_RECEIVE_BYTES = 64 * 1024


@final
class TcpRelay:
    """Passes connections on to another port of this machine until the `with` block ends.

    Args:
        target_port: whose connections these are. Nobody has to be there yet.
    """

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._server: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self.port = 0
        self._delay_seconds = 0.0
        self._answering = threading.Event()
        self._answering.set()
        self._lock = threading.Lock()  # guards _connections
        self._connections: set[socket.socket] = set()

    def __enter__(self) -> TcpRelay:
        self.listen()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cut()

    @property
    def endpoint(self) -> str:
        """Its address as an http:// URL."""
        return f"http://127.0.0.1:{self.port}"

    def listen(self) -> None:
        """Accept connections; after `cut` on the same port. Idempotent."""
        if self._server is None:
            self._server = socket.create_server(("127.0.0.1", self.port))
            self.port = self._server.getsockname()[1]
            self._thread = threading.Thread(
                target=self._accept, args=(self._server,), name="relay", daemon=True
            )
            self._thread.start()

    def answer_after(self, seconds: float) -> None:
        """Be slow: every answer from now on comes so much later."""
        self._delay_seconds = seconds

    def hold_answers(self) -> None:
        """Pass requests on, but no answers, until `release_answers`."""
        self._answering.clear()

    def release_answers(self) -> None:
        """Pass on what was held, and hold no longer."""
        self._answering.set()

    def cut(self) -> None:
        """Break every connection and accept none; answers that were held are lost. Idempotent."""
        if self._server is not None and self._thread is not None:
            # Closing alone does not wake the thread that accepts.
            with contextlib.suppress(OSError):
                self._server.shutdown(socket.SHUT_RDWR)
            self._server.close()
            self._thread.join()
            self._server = None
        with self._lock:
            connections = list(self._connections)
            self._connections.clear()
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._answering.set()

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:  # closed
                return
            try:
                target = socket.create_connection(("127.0.0.1", self._target_port))
            except OSError:  # as the client would have found it
                client.close()
                continue
            with self._lock:
                self._connections |= {client, target}
            self._start(self._pass_requests, client, target)
            answers: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
            self._start(self._take_answers, target, answers)
            self._start(self._pass_answers, answers, client)

    def _start(self, run: Callable[..., None], *arguments: object) -> None:
        threading.Thread(target=run, args=arguments, name="relay", daemon=True).start()

    def _pass_requests(self, client: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(_RECEIVE_BYTES):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def _take_answers(
        self, target: socket.socket, answers: queue.SimpleQueue[tuple[float, bytes]]
    ) -> None:
        with contextlib.suppress(OSError):
            while data := target.recv(_RECEIVE_BYTES):
                answers.put((time.monotonic() + self._delay_seconds, data))
        target.close()
        answers.put((0.0, b""))

    def _pass_answers(
        self, answers: queue.SimpleQueue[tuple[float, bytes]], client: socket.socket
    ) -> None:
        with contextlib.suppress(OSError):
            while True:
                due, data = answers.get()
                if not data:
                    break
                self._answering.wait()
                time.sleep(max(0.0, due - time.monotonic()))
                client.sendall(data)
        client.close()
