"""What there is to know of a service to live through a day with it."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

PATIENCE_SECONDS: Final = 30.0
"""Whoever asks a service waits at most this many seconds."""

Act = Callable[[int], None]
"""Something that happens to a service, which listens on a port."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something that goes wrong.

    Attributes:
        act: brings it about.
        title: what its incident is called.
        culprit: stands in the first finding, where the incident may be called by any of the
            requests that suffer.
    """

    act: Act
    title: str
    culprit: str = ""


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service, its ordinary life and its faults.

    Attributes:
        name: it has this.
        command: what follows the interpreter, with `{port}` in it.
        ready: what it prints when it can be asked; empty: it listens then.
        environment: variables that it needs.
        needs_redis: whether it needs Redis; its URL is `REDIS` then.
        ordinary: what happens all day.
        survived: what its incidents may be called that are of no fault: what a request survived.
        faults: what goes wrong in the end, one after the other.
    """

    name: str
    command: str
    ready: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    needs_redis: bool = False
    ordinary: Sequence[Act]
    survived: str = ""
    faults: Sequence[Fault]


def get(path: str, status: int = 200) -> Act:
    """Return what asks for a path, and reads the answer, of a certain status, to its end."""

    def act(port: int) -> None:
        with contextlib.closing(_connection(port, PATIENCE_SECONDS)) as connection:
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            assert response.status == status, f"{path}: {response.status}"

    return act


def leave(path: str, after_seconds: float) -> Act:
    """Return what asks for a path, and does not wait for the answer."""

    def act(port: int) -> None:
        connection = _connection(port, after_seconds)
        with contextlib.closing(connection), contextlib.suppress(TimeoutError):
            connection.request("GET", path)
            connection.getresponse()

    return act


def _connection(port: int, timeout_seconds: float) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_seconds)
