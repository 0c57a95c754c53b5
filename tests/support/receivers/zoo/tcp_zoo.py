"""A port behind which anything may be, and on demand a proper receiver."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Final, final

_RECEIVE_BYTES: Final = 64 * 1024
_LINGER_NOT: Final = struct.pack("ii", 1, 0)


class Visit:
    """One connection of a client.

    Attributes:
        socket: the connection.
    """

    def __init__(self, zoo: TcpZoo, connection: socket.socket) -> None:
        self._zoo = zoo
        self.socket = connection

    def read_request(self) -> bytes:
        """Read an HTTP request with its body; return its head.

        Raises:
            ConnectionError: the client has gone.
        """
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._receive()
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(
            int(line.partition(b":")[2])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length:")
        )
        missing = length - len(body)
        while missing > 0:
            missing -= len(self._receive())
        self._zoo.note_request(head)
        return head

    def send(self, *parts: bytes) -> None:
        """Send some bytes."""
        self.socket.sendall(b"".join(parts))

    def drip(self, data: Iterable[bytes], seconds: float = 0.05) -> None:
        """Send pieces with a pause after each, until the client or the zoo has had enough."""
        for piece in data:
            self.socket.sendall(piece)
            if self.wait(seconds):
                return

    def wait(self, seconds: float = 60.0) -> bool:
        """Do nothing until the zoo closes, or behaves in another way; return whether it does."""
        return self._zoo.wait_for_change(seconds)

    def reset(self) -> None:
        """Break the connection."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        self.socket.close()

    def _receive(self) -> bytes:
        data = self.socket.recv(_RECEIVE_BYTES)
        if not data:
            raise ConnectionError("the client has gone")
        return data


@final
class TcpZoo:
    """Listens until the `with` block ends.

    Args:
        target_port: where a proper receiver is, for when this one is to be one.
        tls: makes connections encrypted; None: they are not.
    """

    def __init__(self, target_port: int, tls: ssl.SSLContext | None = None) -> None:
        self._target_port = target_port
        self._tls = tls
        self._answer: Callable[[Visit], object] | None = None
        self._lock = threading.Lock()  # guards what follows
        self._changed = threading.Event()
        self._connections: set[socket.socket] = set()
        self.heads: list[bytes] = []

    def __enter__(self) -> TcpZoo:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name="zoo", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()
        self.behave(None)

    def behave(self, answer: Callable[[Visit], object] | None) -> None:
        """Behave so from the next connection on; None: as a proper receiver. Closes all others."""
        with self._lock:
            self._answer = answer
            self._changed.set()
            self._changed = threading.Event()
            connections = list(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def pass_on_to(self, port: int) -> None:
        """Pass connections on to another receiver from now on. Closes all others."""
        self._target_port = port
        self.behave(None)

    def note_request(self, head: bytes) -> None:
        """Remember the head of a request."""
        with self._lock:
            self.heads.append(head)

    def wait_for_change(self, seconds: float) -> bool:
        """Wait until `behave` is called; return whether it was."""
        with self._lock:
            changed = self._changed
        return changed.wait(seconds)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._serve, args=(client,), name="zoo", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        connection = client
        with contextlib.suppress(OSError, StopIteration, ValueError):
            if self._tls is not None:
                connection = self._tls.wrap_socket(
                    client, server_side=True, do_handshake_on_connect=False
                )
            with self._lock:
                self._connections.add(connection)
            if isinstance(connection, ssl.SSLSocket):
                connection.do_handshake()
            if self._answer is None:
                self._pass_on(connection)
            else:
                self._answer(Visit(self, connection))
        with self._lock:
            self._connections.discard(connection)
        with contextlib.suppress(OSError):
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
        connection.close()

    def _pass_on(self, client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self._target_port)) as target:
            answers = threading.Thread(target=_pump, args=(target, client), daemon=True)
            answers.start()
            _pump(client, target)
            answers.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_RECEIVE_BYTES):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
