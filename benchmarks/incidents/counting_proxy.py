"""What goes over the wire, byte by byte: a TCP proxy in a process of its own that counts.

Everything that two programs send each other counts, requests and answers, headers included; what
TCP and IP add to it does not.
"""

from __future__ import annotations

import asyncio
import struct
import sys
import tempfile
from contextlib import ExitStack
from mmap import mmap
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, final

from benchmarks.measuring import cores
from benchmarks.measuring.child_process import REPOSITORY
from tests.support.processes.service_process import ServiceProcess

_COUNTS = struct.Struct("=2q")
_PIECE_BYTES = 256 * 1024


class Wire(NamedTuple):
    """Bytes that have passed, in each direction."""

    there: int
    back: int

    @property
    def both(self) -> int:
        """All of them."""
        return self.there + self.back


@final
class CountingProxy:
    """Run the proxy until the `with` block ends, on the core of the others.

    Args:
        port: Where it connects to, on loopback.
    """

    def __init__(self, port: int) -> None:
        self._target_port = port
        self._stack = ExitStack()

    def __enter__(self) -> CountingProxy:
        directory = self._stack.enter_context(tempfile.TemporaryDirectory())
        path = Path(directory) / "counts"
        path.write_bytes(bytes(_COUNTS.size))
        process = self._stack.enter_context(
            ServiceProcess(
                ["-m", "benchmarks.incidents.counting_proxy", str(path), str(self._target_port)],
                working_directory=REPOSITORY,
            )
        )
        process.wait_for_output("\n")
        self.endpoint = f"http://127.0.0.1:{int(process.output().split()[0])}"
        self._counts = _open_counts(path)
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._counts.close()
        self._stack.close()

    def passed(self) -> Wire:
        """Return what has passed so far."""
        return Wire(*_COUNTS.unpack(self._counts))


def _open_counts(path: Path) -> mmap:
    with path.open("r+b") as file:
        return mmap(file.fileno(), _COUNTS.size)


class _Proxy:
    """Connects each client to the target and counts what passes."""

    def __init__(self, counts: mmap, port: int) -> None:
        self._counts = counts
        self._port = port
        self._passed = [0, 0]

    async def serve(self) -> None:
        """Accept until killed; print the port when ready."""
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target_reader, target_writer = await asyncio.open_connection("127.0.0.1", self._port)
        await asyncio.gather(
            self._pass_on(reader, target_writer, 0), self._pass_on(target_reader, writer, 1)
        )

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: int
    ) -> None:
        try:
            while data := await reader.read(_PIECE_BYTES):
                self._passed[direction] += len(data)
                self._counts[:] = _COUNTS.pack(*self._passed)
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass  # one of the two was killed
        finally:
            writer.close()


def main(counts_path: str, port: str) -> None:
    """Pass on until killed."""
    cores.pin(cores.OTHERS)
    asyncio.run(_Proxy(_open_counts(Path(counts_path)), int(port)).serve())


if __name__ == "__main__":
    main(*sys.argv[1:])
