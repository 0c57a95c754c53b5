"""What is waited for of the network: a look-up, a connection, a handshake, an answer; and of whom.

Runs no code of the application: names and numbers are read out of frames, and a socket's address is
asked of the kernel. Takes 15 to 30 µs.
"""

from __future__ import annotations

import functools
import re
import socket
from collections.abc import Iterator
from itertools import chain
from typing import Any, Final, NamedTuple

from otel_flight.interpreter.code.opcodes import step_at
from otel_flight.interpreter.code.origin import is_application
from otel_flight.interpreter.frames import Frame, Stack, values_in
from otel_flight.sources.locks.locks import attribute_of, value_of

_MOST_FRAMES: Final = 16
"""At most this many frames are looked at, from the innermost one on: a client library has a dozen
between the socket and the application."""
_LOOK_UP: Final = "look-up of"
_ANSWER: Final = "answer of"
_STAGES: Final = tuple(
    (re.compile(pattern), stage)
    for pattern, stage in (
        (r"/socket\.py:getaddrinfo$|asyncio/base_events\.py:_ensure_resolved$", _LOOK_UP),
        (r"/ssl\.py:(?:do_handshake|_create)$|asyncio/\w+\.py:start_tls$", "TLS handshake with"),
        (r":(?:create_connection|sock_connect|_connect_sock|open_connection)$", "connection to"),
        (r"/ssl\.py:send(?:all)?$|asyncio/\w+\.py:(?:drain|sock_sendall)$", "sending to"),
    )
)
_CALLS: Final = {
    "getaddrinfo": _LOOK_UP,
    "connect": "connection to",
    "do_handshake": "TLS handshake with",
    "sendall": "sending to",
    "accept": "a client of",
}
_WAIT_FOR: Final = "wait_for"
_NAMES: Final = ("self", "host", "address", "timeout")
"""Local variables with these names tell of whom something is wanted, and for how long."""
_HOSTS: Final = ("host", "_dns_host")
"""A client has the host that it talks to in one of these attributes."""
_LEADS_ON: Final = ("_sock", "_transport")
"""These lead from a file or a stream to its socket or its transport."""


class NetworkWait(NamedTuple):
    """What a stack waits for.

    Attributes:
        words: what of the network it is, and of whom if that is known.
        limit_seconds: after how long it gives up by itself; 0: not known, or never.
    """

    words: str
    limit_seconds: float


def network_wait(stack: Stack) -> NetworkWait:
    """Return what the innermost functions of a stack wait for, given that it is the network."""
    frames = list(_innermost(stack))
    seen = _variables([*frames, *_around(stack)])
    step = step_at(frames[0].code, frames[0].offset)
    path = step.path if step is not None else ("",)
    stages = (_stage_in(each.code.co_filename, each.code.co_name) for each in frames)
    stage = _CALLS.get(path[-1]) or next(filter(None, stages), _ANSWER)
    owners = [value for frame, name, value in seen if name == "self" and frame is not frames[-1]]
    connection = next(filter(None, map(_inside, owners)), None)
    if connection is None and path[1:]:
        connection = _inside(value_of(frames[0], path[:-1]))
    if stage == _LOOK_UP:
        found = iter([each for _, name, each in seen if name == "host" and type(each) is str])
    else:
        addresses = (_words_of(value) for _, name, value in seen if name == "address")
        found = chain(map(_host_of, owners), addresses, map(_peer_of, (connection,)))
    peer = next(filter(None, found), "")
    limit = None
    if isinstance(connection, socket.socket):
        limit = socket.socket.gettimeout(connection)
    words = f"{stage} {peer}" if peer else stage.rpartition(" ")[0]
    return NetworkWait(words, _least(seen, limit))


def time_limit_of(stack: Stack) -> float:
    """Return after how many seconds any wait gives up by itself; 0: not known, or never."""
    return _least(_variables([*_innermost(stack), *_around(stack)]))


_Seen = list[tuple[Frame, str, Any]]
"""It is a variable each: where, its name, its value."""


def _innermost(stack: Stack) -> Iterator[Frame]:
    """Yield the frames of libraries, the innermost first, and the application's around them."""
    for frame in stack[-1 : -_MOST_FRAMES - 1 : -1]:
        yield frame
        if is_application(frame.code.co_filename):
            return


def _around(stack: Stack) -> list[Frame]:
    """Return where a limit was set further out, with functions of the application between."""
    return [each for each in stack[-_MOST_FRAMES:] if each.code.co_name == _WAIT_FOR]


def _variables(frames: Stack) -> _Seen:
    asked = [(each, name) for each in frames for name in _NAMES if name in each.code.co_varnames]
    return [(*each, value) for each, value in zip(asked, values_in(asked), strict=True)]


def _least(seen: _Seen, other: float | None = None) -> float:
    """Return the shortest limit; of those handed on inwards, which become less, the first."""
    handed_on: Any = 0.0
    within = [other] if other else []
    for frame, name, value in seen:
        if name == "timeout" and type(value) in (int, float) and value > 0:
            if frame.code.co_name == _WAIT_FOR:
                within.append(float(value))
            elif not is_application(frame.code.co_filename):
                handed_on = value
    return float(min(filter(None, (handed_on, *within)), default=0.0))


@functools.lru_cache(1024)
def _stage_in(file: str, function: str) -> str:
    where = f"{file}:{function}".replace("\\", "/")
    return next((stage for pattern, stage in _STAGES if pattern.search(where)), "")


def _host_of(client: object) -> str:
    host = next(filter(None, (_own(client, name) for name in _HOSTS)), None)
    port = _own(client, "port")
    if type(host) is not str:
        return ""
    return f"{host}:{port}" if type(port) is int else host


def _inside(thing: object) -> object:
    """Return the socket or transport that a file, a stream or a client works with, else None."""
    for name in _LEADS_ON:
        thing = _own(thing, name) or thing
    is_one = isinstance(thing, socket.socket) or type(attribute_of(thing, "_extra")) is dict
    return thing if is_one else None


def _own(thing: object, name: str) -> object:
    """Return an attribute that an object itself has, not its class; None: it has none."""
    try:
        found = object.__getattribute__(thing, "__dict__")
    except AttributeError:
        return None
    return found.get(name) if type(found) is dict else None


def _peer_of(thing: object) -> str:
    if isinstance(thing, socket.socket):
        try:
            return _words_of(socket.socket.getpeername(thing))
        except OSError:  # it is not connected, or not any more
            return ""
    known = attribute_of(thing, "_extra")  # of a transport of asyncio
    return _words_of(known.get("peername")) if type(known) is dict else ""


def _words_of(address: Any) -> str:
    if type(address) is tuple and len(address) > 1:
        return f"{address[0]}:{address[1]}"
    return address if type(address) is str else ""
