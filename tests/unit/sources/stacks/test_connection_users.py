"""Who has a connection of a pool, with the pools of real packages."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import urllib3
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from otel_flight.interpreter.frames import CAN_READ_LOCALS
from otel_flight.sources.stacks.connection_users import has_connection
from tests.support.rigs.looked_at import looked_at

pytestmark = pytest.mark.skipif(
    not CAN_READ_LOCALS, reason="local variables are not read without C before Python 3.13"
)


@pytest.fixture
def engine() -> Iterator[Engine]:
    """A database in memory, with a pool of two."""
    engine = create_engine("sqlite://", poolclass=QueuePool, pool_size=2)
    yield engine
    engine.dispose()


def has_one(pool: object) -> bool:
    """Return whether the function that asks has a connection of a pool, seen from outside."""
    function = sys._getframe(1).f_code
    return looked_at(
        lambda stack: has_connection([each for each in stack if each.code is function], pool)
    )


def within_block(engine: Engine, pool: object) -> Iterator[bool]:
    """Have a connection, and then have it no more, though the variable is still there."""
    yield has_one(pool)
    with engine.connect() as connection:
        yield has_one(pool)
        connection.execute(text("SELECT 1"))
        yield has_one(pool)
    yield has_one(pool)


def with_session(engine: Engine, pool: object) -> Iterator[bool]:
    """Have one from the first query of a session on, until that commits."""
    with Session(engine) as session:
        yield has_one(pool)
        session.scalar(text("SELECT 1"))
        yield has_one(pool)
        session.commit()
        yield has_one(pool)


def with_raw_connection(engine: Engine, pool: object) -> Iterator[bool]:
    """Have what the pool itself gives out."""
    raw: Any = engine.raw_connection()
    yield has_one(pool)
    raw.close()
    yield has_one(pool)


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
    assert list(function(engine, engine.pool)) == expected


def test_a_connection_of_another_pool_is_none_of_this(engine: Engine) -> None:
    """However alike they are."""
    other = create_engine("sqlite://", poolclass=QueuePool, pool_size=2)

    assert list(within_block(engine, other.pool)) == [False] * 4

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


def with_answer(client: urllib3.HTTPConnectionPool) -> Iterator[bool]:
    """Have an answer before its body is read, and after that."""
    yield has_one(client)
    answer = client.request("GET", "/", preload_content=False)
    yield has_one(client)
    answer.read()
    answer.release_conn()
    yield has_one(client)


def test_who_reads_an_answer_of_urllib3(client: urllib3.HTTPConnectionPool) -> None:
    """Until its body has been read, it keeps the connection; the pool alone is none."""
    assert list(with_answer(client)) == [False, True, False]
