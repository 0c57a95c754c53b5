"""What is waited for of the network, and of whom: with real sockets whose other end is silent."""

from __future__ import annotations

import asyncio
import http.client
import multiprocessing
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from otel_flight.interpreter.frames import CAN_READ_LOCALS
from otel_flight.names import attributes as names
from otel_flight.sources.stacks.stack_reader import RootStack, StackReader
from tests.support.rigs.served_requests import (
    DEADLINE_SECONDS,
    LoopThread,
    ServingRig,
    serving,
    tick_until,
)

pytestmark = pytest.mark.skipif(
    not CAN_READ_LOCALS, reason="local variables are not read without C before Python 3.13"
)


@pytest.fixture
def rig(own_environment: Path) -> Iterator[ServingRig]:
    """Return a rig."""
    with ServingRig(own_environment) as rig:
        yield rig


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that accepts nobody: connections wait in its queue, and nothing answers them."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def address_of(server: socket.socket) -> str:
    """Return where a server listens, as it is told."""
    host, port = server.getsockname()
    return f"{host}:{port}"


def told_of(rig: ServingRig) -> Mapping[str, Any]:
    """Return what is told of the one open request, once it waits for the network."""
    found: list[Mapping[str, Any]] = []

    def look() -> None:
        open_spans = rig.session.open_spans
        for root in list(open_spans.roots.values()):
            reader = StackReader(open_spans)
            seen = reader.read(root)
            if seen is not None and seen.wait is not None and seen.wait.kind == "network":
                found.append(reader.attributes(seen))

    tick_until(look, lambda: bool(found))
    return found[0]


def told_while(
    rig: ServingRig, wait: Callable[[], object], end: Callable[[], object]
) -> Mapping[str, Any]:
    """Return what is told of a request while it waits, until that is ended."""

    def work() -> None:
        with suppress(OSError, http.client.HTTPException):
            wait()

    with serving(rig, work, "GET /rates"):
        told = told_of(rig)
        end()
    return told


def test_an_answer_is_told_with_its_host_and_the_time_limit(
    rig: ServingRig, silent: socket.socket
) -> None:
    """As the client was told to reach it, by name."""
    port = silent.getsockname()[1]
    client = http.client.HTTPConnection("localhost", port, timeout=DEADLINE_SECONDS)
    client.connect()
    client.request("GET", "/")
    connection = client.sock

    told = told_while(rig, client.getresponse, lambda: connection.shutdown(socket.SHUT_RDWR))

    client.close()
    assert told[names.WAIT_ON] == f"answer of localhost:{port}"
    assert told[names.WAIT_LIMIT] == int(DEADLINE_SECONDS * 1e9)


def test_a_socket_of_the_applications_own_is_told(rig: ServingRig, silent: socket.socket) -> None:
    """Without a limit where it has none."""
    with socket.create_connection(silent.getsockname()) as connection:
        told = told_while(
            rig, lambda: connection.recv(1), lambda: connection.shutdown(socket.SHUT_RDWR)
        )

    assert told == {
        names.WAIT_KIND: "network",
        names.WAIT_ON: f"answer of {address_of(silent)}",
    }


def test_a_peer_that_does_not_read_is_told(rig: ServingRig, silent: socket.socket) -> None:
    """What is sent must be read by somebody in the end."""
    with socket.create_connection(silent.getsockname()) as connection:
        told = told_while(
            rig,
            lambda: connection.sendall(bytes(64 << 20)),
            lambda: connection.shutdown(socket.SHUT_RDWR),
        )

    assert told[names.WAIT_ON] == f"sending to {address_of(silent)}"


def test_a_handshake_that_is_not_answered_is_told(rig: ServingRig, silent: socket.socket) -> None:
    """The connection is there, and TLS is not."""
    context = ssl.create_default_context()
    plain = socket.create_connection(silent.getsockname())
    address = address_of(silent)

    with closing(plain):
        told = told_while(
            rig,
            lambda: context.wrap_socket(plain, server_hostname="localhost"),
            lambda: _close_all(silent),
        )

    assert told[names.WAIT_ON] == f"TLS handshake with {address}"


def _close_all(server: socket.socket) -> None:
    server.accept()[0].close()


def test_a_look_up_is_told_with_its_host(rig: ServingRig) -> None:
    """However the resolver waits."""
    answered = threading.Lock()
    answered.acquire()
    library: dict[str, Any] = {"recv": answered.acquire}
    exec(compile("def getaddrinfo(host):\n    recv()\n", socket.__file__, "exec"), library)

    told = told_while(rig, lambda: library["getaddrinfo"]("bank.example"), answered.release)

    assert told[names.WAIT_ON] == "look-up of bank.example"


@pytest.mark.parametrize(
    ("file", "function", "is_wait"),
    [
        (ssl.__file__, "create_default_context", False),
        (ssl.__file__, "do_handshake", True),
        (http.client.__file__, "__init__", False),
        (socket.__file__, "socketpair", False),
        ("/x/site-packages/psycopg/cursor.py", "fetchall", False),
        ("/x/site-packages/psycopg/waiting.py", "wait_select", True),
        ("/x/site-packages/pymongo/synchronous/cursor.py", "_unpack_response", False),
        ("/x/site-packages/pymongo/network_layer.py", "receive_data", True),
    ],
)
def test_what_is_done_without_the_network_is_no_wait_for_it(
    rig: ServingRig, file: str, function: str, is_wait: bool
) -> None:
    """As reading certificates anew for each client, and making rows of what has come."""
    is_done = threading.Lock()
    is_done.acquire()
    library: dict[str, Any] = {"load": is_done.acquire}
    exec(compile(f"def {function}():\n    load()\n", file, "exec"), library)

    with serving(rig, library[function], "GET /rates"):
        seen = seen_in(rig, function)
        is_done.release()

    assert (seen.wait is not None and seen.wait.kind == "network") is is_wait


def seen_in(rig: ServingRig, function: str) -> RootStack:
    """Return what is seen of the one open request, once it is in a function."""
    found: list[RootStack] = []

    def look() -> None:
        for root in list(rig.session.open_spans.roots.values()):
            seen = StackReader(rig.session.open_spans).read(root)
            if seen is not None and seen.stack[-1].code.co_name == function:
                found.append(seen)

    tick_until(look, lambda: bool(found))
    return found[0]


def test_an_answer_of_another_process_is_told_as_that(rig: ServingRig) -> None:
    """A shared dictionary asks its manager for each value, by a socket or a pipe."""
    ours, theirs = multiprocessing.Pipe()

    with serving(rig, ours.recv, "GET /words"):
        seen = seen_in(rig, "_recv")
        theirs.send("word")

    assert seen.wait is not None
    assert seen.wait.kind == "process"


def test_a_stream_of_asyncio_is_told(rig: ServingRig, silent: socket.socket) -> None:
    """And the limit of `wait_for` around it."""

    async def ask() -> None:
        with rig.tracer.start_as_current_span("GET /rates"):
            reader, writer = await asyncio.open_connection(*silent.getsockname())
            with closing(writer):
                await asyncio.wait_for(reader.read(1), DEADLINE_SECONDS)

    with LoopThread() as loop:
        asking = loop.submit(ask())
        told: list[Mapping[str, Any]] = []
        tick_until(
            lambda: told.append(told_of(rig)),
            lambda: told[-1][names.WAIT_ON].startswith("answer") if told else False,
        )
        _close_all(silent)
        asking.result(DEADLINE_SECONDS)

    assert told[-1][names.WAIT_ON] == f"answer of {address_of(silent)}"
    assert told[-1][names.WAIT_LIMIT] == int(DEADLINE_SECONDS * 1e9)
