"""Who has a connection of a pool, with the pools of real packages."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import FrameType
from typing import Any

import pytest
import urllib3
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from otel_flight.sources.stacks.connection_users import has_connection


@pytest.fixture
def engine() -> Iterator[Engine]:
    """A database in memory, with a pool of two."""
    engine = create_engine("sqlite://", poolclass=QueuePool, pool_size=2)
    yield engine
    engine.dispose()


def here() -> list[FrameType]:
    """Return the frame that asks, as a stack."""
    return [sys._getframe(1)]


def within_block(engine: Engine) -> Iterator[list[FrameType]]:
    """Have a connection, and then have it no more, though the variable is still there."""
    yield here()
    with engine.connect() as connection:
        yield here()
        connection.execute(text("SELECT 1"))
        yield here()
    yield here()


def with_session(engine: Engine) -> Iterator[list[FrameType]]:
    """Have one from the first query of a session on, until that commits."""
    with Session(engine) as session:
        yield here()
        session.scalar(text("SELECT 1"))
        yield here()
        session.commit()
        yield here()


def with_raw_connection(engine: Engine) -> Iterator[list[FrameType]]:
    """Have what the pool itself gives out."""
    raw: Any = engine.raw_connection()
    yield here()
    raw.close()
    yield here()


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (within_block, [False, True, True, False]),
        (with_session, [False, True, False]),
        (with_raw_connection, [True, False]),
    ],
)
def test_who_works_with_a_connection_of_sqlalchemy(
    engine: Engine, function: Any, expected: list[bool]
) -> None:
    """From when the pool gives it out until it is given back; the engine alone is none."""
    assert [has_connection(stack, engine.pool) for stack in function(engine)] == expected


def test_a_connection_of_another_pool_is_none_of_this(engine: Engine) -> None:
    """However alike they are."""
    other = create_engine("sqlite://", poolclass=QueuePool, pool_size=2)

    seen = [has_connection(stack, other.pool) for stack in within_block(engine)]

    assert seen == [False] * 4
    other.dispose()


class Rates(BaseHTTPRequestHandler):
    """Answers with a few bytes."""

    def do_GET(self) -> None:  # the name is given by the base class
        """Answer."""
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"1.07")

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def client() -> Iterator[urllib3.HTTPConnectionPool]:
    """A pool of one connection to a server."""
    server = HTTPServer(("127.0.0.1", 0), Rates)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    client = urllib3.HTTPConnectionPool("127.0.0.1", server.server_port, maxsize=1, block=True)
    yield client
    client.close()
    server.shutdown()
    thread.join(20)
    server.server_close()


def with_answer(client: urllib3.HTTPConnectionPool) -> Iterator[list[FrameType]]:
    """Have an answer before its body is read, and after that."""
    yield here()
    answer = client.request("GET", "/", preload_content=False)
    yield here()
    answer.read()
    answer.release_conn()
    yield here()


def test_who_reads_an_answer_of_urllib3(client: urllib3.HTTPConnectionPool) -> None:
    """Until its body has been read, it keeps the connection; the pool alone is none."""
    seen = [has_connection(stack, client) for stack in with_answer(client)]

    assert seen == [False, True, False]
