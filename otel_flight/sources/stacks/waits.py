"""What a stack that does not move is waiting for, in a word and in a few."""

from __future__ import annotations

import asyncio
import functools
import re
from typing import Any, Final, NamedTuple

from otel_flight.interpreter.code.opcodes import CALL, ENTER, UNNAMED, Path, step_at
from otel_flight.interpreter.code.origin import is_application
from otel_flight.interpreter.frames import Frame, Stack, value_in
from otel_flight.interpreter.own_frames import is_ours
from otel_flight.names.wait_kinds import (
    BARRIER,
    CONDITION,
    CONNECTION_POOL,
    EVENT,
    FUTURE,
    IMPORT,
    LOCK,
    NETWORK,
    PIPE,
    PROCESS,
    QUEUE,
    SEMAPHORE,
    SLEEP,
    TASK,
    THREAD,
    THREAD_POOL,
    TURN_OF_LOOP,
)
from otel_flight.sources.locks.locks import attribute_of

_APPLICATION: Final = "application"
_MOST_LOOKED_AT: Final = 12
"""At most this many frames are looked at, from the innermost one on: a driver has a few between the
socket and the application."""

_POOLS: Final = re.compile(
    r"sqlalchemy/pool/impl\.py:_do_get$|psycopg_pool/pool(?:_async)?\.py:getconn$"
    r"|asyncpg/pool\.py:_?acquire$|aiomysql/pool\.py:_acquire$|aiopg/pool\.py:_acquire$"
    r"|redis/(?:asyncio/)?connection\.py:get_connection$|psycopg2/pool\.py:_?getconn$"
    r"|urllib3/connectionpool\.py:_get_conn$|oracledb/pool\.py:acquire$"
    r"|httpcore/_(?:a?sync)/connection_pool\.py:wait_for_connection$"
    r"|pymongo/(?:\w+/)?pool\.py:_get_conn$"
)
_ANYIO_LIMITER: Final = re.compile(r"anyio/_backends/_asyncio\.py:acquire_on_behalf_of$")
_ONE_OF_TASKS: Final = "_wait_for_one"
"""So `asyncio.as_completed` waits; its queue is only a means."""
_KINDS: Final = tuple(
    (re.compile(pattern), kind)
    for pattern, kind in (
        (r"asyncio/locks\.py:(?:acquire|wait|__aenter__)$", ""),  # told apart by their class
        (r"anyio/_(?:core|backends)/\w+\.py:(?:acquire|__aenter__)$", ""),
        (r"asyncio/queues\.py:(?:get|put|join)$", QUEUE),
        (r"/queue\.py:(?:get|put|join)$", QUEUE),
        (r"multiprocessing/queues\.py:(?:get|put)$", QUEUE),
        (r"multiprocessing/pool\.py:(?:wait|next)$", PROCESS),
        (r"asyncio/tasks\.py:__sleep0$", TURN_OF_LOOP),
        (r"asyncio/tasks\.py:sleep$", SLEEP),
        (r"concurrent/futures/_base\.py:(?:result|exception|wait|as_completed)$", FUTURE),
        (r"subprocess\.py:(?:wait|_wait|communicate|_communicate)$", PROCESS),
        (r"asyncio/(?:streams|sslproto|selector_events|sock\w*)\.py:\w+$", NETWORK),
        (r"/socket\.py:(?:accept|create_connection|getaddrinfo|getfqdn|readinto|write)$", NETWORK),
        (r"/socket\.py:_?sendfile\w*$|/selectors\.py:select$|/socketserver\.py:\w+$", NETWORK),
        (r"/ssl\.py:(?:_create|_real_connect|accept|connect|connect_ex|do_handshake)$", NETWORK),
        (r"/ssl\.py:(?:read|recv\w*|send\w*|unwrap|write)$", NETWORK),
        (r"gevent/_?(?:socket|ssl|select)\w*\.py:\w+$|eventlet/green\w*/\w+\.py:\w+$", NETWORK),
        (r"gevent/(?:hub|time)\.py:sleep$|eventlet/greenthread\.py:sleep$", SLEEP),
        (r"http/client\.py:(?!__init__)\w+$", NETWORK),
        (r"multiprocessing/connection\.py:\w+$", PROCESS),
        (r"anyio/_backends/_asyncio\.py:(?:receive|send)$", NETWORK),
        (r"/(?:aiohttp|asyncpg|grpc)/(?:\w+/)*\w+\.py:\w+$", NETWORK),
        (r"/psycopg/_?(?:connection\w*|waiting)\.py:wait\w*$", NETWORK),
        (r"/pymongo/(?:\w+/)*(?:network|pool)\w*\.py:\w+$", NETWORK),
        (r"importlib\._bootstrap>:acquire$", IMPORT),
        (r"/threading\.py:join$", THREAD),
        (r"/threading\.py:wait$", EVENT),
        (r"/threading\.py:acquire$", ""),
        (r"/threading\.py:__enter__$|gevent/thread\.py:(?:acquire|__enter__)$", LOCK),
        (r"asyncio/tasks\.py:(?:_wait|_wait_for_one|wait_for|gather)$", TASK),
        (r"asyncio/taskgroups\.py:\w+$", TASK),
    )
)
_CALLED: Final = {
    "acquire": LOCK,
    "sleep": SLEEP,
    "recv": NETWORK,
    "recv_into": NETWORK,
    "recvfrom": NETWORK,
    "sendall": NETWORK,
    "accept": NETWORK,
    "connect": NETWORK,
    "getaddrinfo": NETWORK,
    "select": NETWORK,
    "poll": NETWORK,
    "waitpid": PROCESS,
    "result": FUTURE,
}
"""These native functions tell what is waited for in them."""
_CALLED_BY_GREENLETS: Final = {**_CALLED, "put": QUEUE}

_PIPE: Final = re.compile(r"(?:_Unix)?(?P<does>Read|Write)(?:Pipe|Unix)Transport$")
"""The names of the transports of pipes, such as a subprocess's, in asyncio and in uvloop."""
_PENDING: Final = {"as_completed": "pending", "wait": "not_done"}
"""The futures that these functions still wait for are in a variable of this name."""


class Wait(NamedTuple):
    """What is waited for.

    Attributes:
        kind: of low cardinality: `lock`, `queue`, `sleep`, `network`, `connection pool`, …
        text: more about it: the lock's name in the program, the function that waits.
        path: the name of a lock in the frame that waits for it; empty when it has none.
        frame: that frame; None: it is not the application's.
        object: the lock, the pool, the future itself, where it is known; of several futures a set.
    """

    kind: str
    text: str
    path: Path = ()
    frame: Frame | None = None
    object: Any = None


def wait_of_thread(stack: Stack) -> Wait | None:
    """Return what a thread waits for, None when it runs, as far as can be told.

    Within our own callbacks it runs: they never wait, whatever they call.
    """
    if not stack:
        return None
    innermost = stack[-1]
    if is_ours(innermost.code.co_filename):
        return None
    in_library = _wait_in_library(stack)
    if in_library is not None:
        return in_library
    step = step_at(innermost.code, innermost.offset)
    if step is None:
        return None
    if step.kind == ENTER:
        return Wait(LOCK, dotted(step.path), step.path, innermost)
    kind = _CALLED.get(step.path[-1])
    if kind is None:
        return None
    path = step.path[:-1] if kind == LOCK else ()
    return Wait(kind, dotted(path or step.path), path, innermost)


def call_of_thread(stack: Stack) -> str:
    """Return the native function that a thread is in, as the program names it, or nothing."""
    if not stack or is_ours(stack[-1].code.co_filename):
        return ""
    step = step_at(stack[-1].code, stack[-1].offset)
    return dotted(step.path) if step is not None and step.kind == CALL else ""


def wait_of_greenlet(stack: Stack) -> Wait:
    """Return what a greenlet waits for that does not run.

    Locks and queues of gevent are compiled: the function that uses one has no frame below it.
    """
    innermost = stack[-1]
    found = _wait_in_library(stack)
    step = None if found is not None else step_at(innermost.code, innermost.offset)
    if step is None:
        return found or Wait(EVENT, f"{innermost.code.co_name}()")
    if step.kind == ENTER:
        return Wait(LOCK, dotted(step.path), step.path, innermost)
    kind = _CALLED_BY_GREENLETS.get(step.path[-1], EVENT)
    path = step.path[:-1] if kind == LOCK else ()
    return Wait(kind, dotted(path or step.path), path, innermost)


def wait_of_task(stack: Stack, awaited: object) -> Wait:
    """Return what a task waits for."""
    found = _wait_in_library(stack)
    if found is not None:
        return found
    name = type(awaited).__name__ if awaited is not None else "…"
    return Wait(TASK if isinstance(awaited, asyncio.Task) else FUTURE, name)


def dotted(path: Path) -> str:
    """Return a path as the program writes it."""
    return ".".join(path).replace(f".{UNNAMED}", "(…)").replace(f"{UNNAMED}.", "(…).")


def _wait_in_library(stack: Stack) -> Wait | None:
    """Go from the innermost frame to the application's, and take the one that says most.

    That is a pool, else the innermost that is known: but a queue, a semaphore or a future, not the
    event or condition that it waits by.
    """
    found: Wait | None = None
    is_settled = False
    for frame in stack[-1 : -_MOST_LOOKED_AT - 1 : -1]:
        role = _role_of(frame.code.co_filename, frame.code.co_name)
        if role == _APPLICATION:
            return _with_lock(found, frame)
        if role == CONNECTION_POOL:
            pool = value_in(frame, "self")
            name = _package(frame.code.co_filename)
            return Wait(CONNECTION_POOL, name + _peer_of(pool), object=pool)
        if role == THREAD_POOL:
            return Wait(THREAD_POOL, "anyio's worker threads")
        if role == TASK and frame.code.co_name == _ONE_OF_TASKS:
            return Wait(TASK, "as_completed()")
        if not is_settled:
            known = _known(role, frame) if role is not None else None
            is_settled = found is not None and (known is None or found.kind != EVENT)
            found = found if is_settled else known
    return found


@functools.lru_cache(4096)
def _role_of(file: str, function: str) -> str | None:
    """Return what a function stands for: a kind of wait, empty if its class says which one.

    None: for nothing. Takes some 10 µs for a function that was not seen before.
    """
    file = file.replace("\\", "/")
    if is_application(file):
        return _APPLICATION
    where = f"{file}:{function}"
    if _POOLS.search(where):
        return CONNECTION_POOL
    if _ANYIO_LIMITER.search(where):
        return THREAD_POOL
    return next((kind for pattern, kind in _KINDS if pattern.search(where)), None)


def _known(kind: str, frame: Frame) -> Wait:
    function = frame.code.co_name
    if kind == FUTURE and function in _PENDING:
        return Wait(kind, f"{function}()", object=value_in(frame, _PENDING[function]))
    owner = value_in(frame, "self")
    if kind == IMPORT:
        return Wait(kind, str(attribute_of(owner, "name", "")))
    name = type(owner).__name__ if owner is not None else function
    if kind == NETWORK:
        pipe = _PIPE.match(type(attribute_of(owner, "_transport")).__name__)
        if pipe is not None:
            return Wait(PIPE, pipe["does"].lower())
    if kind:
        return Wait(kind, name if owner is not None else f"{name}()", object=owner)
    return Wait(_kind_of(name), name, object=owner)


def _kind_of(name: str) -> str:
    for kind in (SEMAPHORE, CONDITION, EVENT, BARRIER):
        if kind in name.lower():
            return kind
    return LOCK


def _with_lock(found: Wait | None, frame: Frame) -> Wait | None:
    """Add the name under which the application's innermost frame waits for a lock, or the like."""
    if found is None or found.kind not in {LOCK, SEMAPHORE}:
        return found
    step = step_at(frame.code, frame.offset)
    if step is None:
        return found
    path = step.path[:-1] if step.kind == CALL else step.path
    return found._replace(text=dotted(path), path=path, frame=frame) if path else found


def _peer_of(pool: object) -> str:
    """Return to where a pool's connections go, where it is one for each peer, as urllib3's are."""
    host, port = attribute_of(pool, "host"), attribute_of(pool, "port")
    if type(host) is not str:
        return ""
    return f" to {host}:{port}" if type(port) is int else f" to {host}"


def _package(file: str) -> str:
    """Return the name of the installed package that a file is in."""
    below = re.sub(r".*[/\\](?:site|dist)-packages[/\\]", "", file)
    return below.replace("\\", "/").split("/")[0]
