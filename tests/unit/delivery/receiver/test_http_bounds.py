"""Connections of our exporters end in time, whoever is at their other end."""

from __future__ import annotations

import io
import socket
import time
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from otel_flight.delivery.receiver.http_bounds import (
    HttpPool,
    HttpsPool,
    bound_answers,
)

TIMEOUT_SECONDS = 0.2
PIECE_SECONDS = 0.05
MOST_SECONDS = 5.0


class SlowTls:
    """An encrypted connection that takes a while for each record, and the timeout starts anew."""

    def __init__(self) -> None:
        self.timeout: float | None = TIMEOUT_SECONDS
        self.taken = io.BytesIO()

    def gettimeout(self) -> float | None:
        """Return the timeout."""
        return self.timeout

    def settimeout(self, seconds: float | None) -> None:
        """Set it."""
        self.timeout = seconds

    def sendall(self, data: bytes) -> None:
        """Take a record."""
        time.sleep(PIECE_SECONDS)
        self.taken.write(data)


def connection_to(other: Any) -> Any:
    """Return one of ours, with that at its other end."""
    connection = HttpsPool("backend").ConnectionCls("backend")
    connection.sock = other
    return connection


def test_a_request_is_sent_as_a_whole() -> None:
    """In records, and with the timeout of before in the end."""
    other = SlowTls()
    data = bytes(range(256)) * 100

    connection_to(other).send(data)

    assert other.taken.getvalue() == data
    assert other.timeout == TIMEOUT_SECONDS


def test_who_reads_slowly_does_not_hold_a_request() -> None:
    """The timeout is that of all records together."""
    start = time.monotonic()

    with pytest.raises(TimeoutError, match="the request takes too long"):
        connection_to(SlowTls()).send(bytes(10_000_000))

    assert time.monotonic() - start < MOST_SECONDS


def test_adapters_of_others_are_left() -> None:
    """Only what `requests` put into a session is replaced, also for proxies."""
    session = requests.Session()
    own = type("Own", (HTTPAdapter,), {})()
    session.mount("https://", own)

    bound_answers(session)

    assert session.get_adapter("https://c") is own
    adapter: Any = session.get_adapter("http://c")
    for manager in (adapter.poolmanager, adapter.proxy_manager_for("http://proxy:1")):
        assert manager.pool_classes_by_scheme == {"http": HttpPool, "https": HttpsPool}
    bound_answers(None)
    bound_answers(object())


def test_an_answer_leaves_the_timeout_of_its_connection() -> None:
    """The next request on it has the same."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(TIMEOUT_SECONDS)
        theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        response = HttpPool("backend").ConnectionCls.response_class(ours)
        response.begin()

        assert response.read() == b"ok"
        response.close()
        assert ours.gettimeout() == TIMEOUT_SECONDS
