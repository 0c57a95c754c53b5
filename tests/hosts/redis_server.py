"""A Redis of the tests' own, on a free port of the loopback address."""

from __future__ import annotations

import socket
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Final, final

from typing_extensions import Self

from tests.hosts.visit import DEADLINE_SECONDS
from tests.support.processes.service_process import ServiceProcess, free_port

PROGRAM: Final = "redis-server"


@final
class RedisServer:
    """Run a Redis until the `with` block ends. It keeps nothing.

    Args:
        folder: where it works.
    """

    def __init__(self, folder: Path) -> None:
        self._port = free_port()
        options = {
            "--port": str(self._port),
            "--bind": "127.0.0.1",
            "--save": "",
            "--appendonly": "no",
            "--dir": str(folder),
        }
        self._process = ServiceProcess(
            list(chain.from_iterable(options.items())),
            launcher=(PROGRAM,),
            ready_address=f"tcp://127.0.0.1:{self._port}",
        )

    def empty_database(self) -> str:
        """Remove everything, and return the URL."""
        with socket.create_connection(("127.0.0.1", self._port), DEADLINE_SECONDS) as connection:
            connection.sendall(b"FLUSHALL\r\n")
            assert connection.recv(5) == b"+OK\r\n"
        return f"redis://127.0.0.1:{self._port}/0"

    def __enter__(self) -> Self:
        self._process.__enter__()
        self._process.wait_until_ready()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.__exit__(exception_type, exception, traceback)
