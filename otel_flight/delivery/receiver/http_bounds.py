"""Bounds what may be answered to an exporter over HTTP: in bytes, and in time as a whole.

A timeout of `requests` is that of a single read: who sends a byte now and then holds the connection
for ever, and who never stops fills the memory. The connections of our own exporters therefore read
answers through a stream that ends. It stands below http.client, so that status line, headers, chunk
sizes and trailers count as well.

Imported late, as only who sends by HTTP has `requests` in memory.
"""

from __future__ import annotations

import contextlib
import io
from http.client import HTTPResponse
from socket import socket
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from typing_extensions import Buffer
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, poolmanager
from urllib3.connection import HTTPConnection, HTTPSConnection

from otel_flight.delivery.receiver.answers import MOST_BODY_BYTES
from otel_flight.ground.clock import monotonic_ns

_MOST_BYTES: Final = 2 * MOST_BODY_BYTES
"""An answer may have this many bytes, headers and all."""
_LONGEST_SECONDS: Final = 60.0
"""An answer may take so many seconds where the exporter has no timeout."""

_TLS_RECORD_BYTES: Final = 16 * 1024


def _seconds_until(moment_ns: int, what: str) -> float:
    seconds = (moment_ns - monotonic_ns()) / 1e9
    if seconds <= 0:
        raise TimeoutError(f"{what} takes too long")
    return seconds


class _BoundedStream(io.RawIOBase):
    """The answer that comes through a connection, as far as it may go.

    Args:
        source: reads from the connection.
        connection: has the timeout of the answer.
    """

    def __init__(self, source: io.RawIOBase, connection: socket) -> None:
        self._source = source
        self._connection = connection
        self._timeout_seconds = connection.gettimeout()
        seconds = self._timeout_seconds or _LONGEST_SECONDS
        self._until_ns = monotonic_ns() + int(seconds * 1e9)
        self._bytes_left = _MOST_BYTES

    def readable(self) -> bool:
        """Return that it is."""
        return True

    def readinto(self, buffer: Buffer) -> int | None:
        """Read what is there.

        Raises:
            OSError: the answer is too long, or takes too long.
        """
        self._connection.settimeout(_seconds_until(self._until_ns, "the answer"))
        if self._bytes_left <= 0:
            raise OSError("the answer is too long")
        count: int | None = self._source.readinto(memoryview(buffer)[: self._bytes_left])
        self._bytes_left -= count or 0
        return count

    def close(self) -> None:
        """Let go of the connection, as it was."""
        if not self.closed:
            with contextlib.suppress(OSError):  # it is closed
                self._connection.settimeout(self._timeout_seconds)
            self._source.close()
        super().close()


class _BoundedAnswer(HTTPResponse):
    def __init__(self, sock: socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp = io.BufferedReader(_BoundedStream(self.fp.detach(), sock))


class _Connection(HTTPConnection):
    response_class = _BoundedAnswer


class _TlsConnection(HTTPSConnection):
    response_class = _BoundedAnswer

    def send(self, data: Any) -> None:
        """Send some bytes within the timeout, as a connection without encryption does.

        An encrypted one has the whole timeout for each record: who reads slowly holds it for long.
        """
        if self.sock is None or not isinstance(data, bytes):
            super().send(data)
            return
        timeout_seconds = self.sock.gettimeout()
        until_ns = monotonic_ns() + int((timeout_seconds or _LONGEST_SECONDS) * 1e9)
        for start in range(0, len(data), _TLS_RECORD_BYTES):
            self.sock.settimeout(_seconds_until(until_ns, "the request"))
            super().send(data[start : start + _TLS_RECORD_BYTES])
        self.sock.settimeout(timeout_seconds)


class HttpPool(HTTPConnectionPool):
    """Connects without encryption; messages of `requests` begin with this name."""

    ConnectionCls = _Connection


class HttpsPool(HTTPSConnectionPool):
    """Connects with encryption."""

    ConnectionCls = _TlsConnection


class _BoundedAdapter(HTTPAdapter):
    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self._bound(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        return self._bound(super().proxy_manager_for(proxy, **options))

    @staticmethod
    def _bound(manager: Any) -> Any:
        if manager.pool_classes_by_scheme is poolmanager.pool_classes_by_scheme:  # no SOCKS
            manager.pool_classes_by_scheme = {"http": HttpPool, "https": HttpsPool}
        return manager


def bound_answers(session: Any) -> None:
    """Bound the answers to a session of our own; adapters that somebody put into it are left."""
    if isinstance(session, requests.Session):
        for prefix, adapter in list(session.adapters.items()):
            if type(adapter) is HTTPAdapter:
                session.mount(prefix, _BoundedAdapter())
