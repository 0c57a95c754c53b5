"""A load generator light enough not to be what is measured: one prebuilt request, raw sockets.

As a program it reads orders as lines of JSON and answers each with a line of JSON, so that one
process serves a whole benchmark.
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
from time import monotonic
from types import TracebackType
from typing import Any, final

from benchmarks.measuring import cores
from benchmarks.measuring.child_process import REPOSITORY
from benchmarks.measuring.paired_ratios import percentile

WARM_UP_SECONDS = 0.25
_PATIENCE_SECONDS = 60.0
"""A service that answers nothing for so many seconds is broken."""


@final
class LoadGenerator:
    """Run the program until the `with` block ends; it loads one service at a time."""

    def __enter__(self) -> LoadGenerator:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.measuring.load_generator"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
            text=True,
        )
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def load(self, **order: Any) -> dict[str, Any]:
        """Have `generate()` run with these arguments, and return its answer.

        Raises:
            RuntimeError: The program failed; what it wrote is on our standard error.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            message = "the load generator died"
            raise RuntimeError(message)
        answer: dict[str, Any] = json.loads(line)
        return answer


class _Connection(asyncio.Protocol):
    """One kept-alive connection that sends the next request when the answer is complete.

    With a period, not before that is due. The latency of one that is late because the answer before
    was counts from when it was due: a stall is seen by all it delays.
    """

    def __init__(
        self,
        request: bytes,
        answer_bytes: int,
        samples: list[tuple[float, float]],
        period: float,
        first_due: float,
    ) -> None:
        self._request = request
        self._answer_bytes = answer_bytes
        self._samples = samples
        self._period = period
        self._due = first_due
        self._missing = 0
        self._begun = 0.0
        self._transport: asyncio.Transport | None = None
        self.failure: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send_when_due()

    def data_received(self, data: bytes) -> None:
        if self._missing == self._answer_bytes and not data.startswith(b"HTTP/1.1 200"):
            self.failure = data[:200].decode("latin-1")
        self._missing -= len(data)
        if self._missing <= 0:
            self._samples.append((self._begun, monotonic() - self._begun))
            self._send_when_due()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self.failure = f"connection lost: {exc}"

    def close(self) -> None:
        """Hang up, with the last request unanswered."""
        if self._transport is not None:
            self._transport.abort()

    def _send_when_due(self) -> None:
        now = monotonic()
        if not self._period:
            self._send(now)
            return
        self._due += self._period
        if self._due <= now:
            self._send(self._due)
            return
        # A timer is up to a millisecond late, for which the service is not to blame.
        asyncio.get_running_loop().call_later(self._due - now, lambda: self._send(monotonic()))

    def _send(self, begun: float) -> None:
        assert self._transport is not None
        if self._transport.is_closing():
            return
        self._missing = self._answer_bytes
        self._begun = begun
        self._transport.write(self._request)


async def generate(
    *,
    port: int,
    path: str,
    connections: int,
    seconds: float,
    rate: float = 0.0,
    samples_wanted: bool = False,
) -> dict[str, Any]:
    """Load the port for so long, or until a busy machine has answered something.

    The warm-up before does not count.

    Args:
        port: Of the service.
        path: What is requested.
        connections: How many requests may be under way.
        seconds: How long.
        rate: Requests a second; 0: as many as are answered.
        samples_wanted: Whether to return each request.

    Returns:
        Requests a second, the 50th and 99th percentile of the latency in milliseconds, and how
        many requests there were with those of the warm-up; `samples`: when each began, on the
        monotonic clock, and its latency, in seconds.
    """
    request = f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n".encode()
    answer_bytes = await _answer_bytes(port, request)
    samples: list[tuple[float, float]] = []
    period = connections / rate if rate else 0.0
    now = monotonic()
    opened = [
        await _open(
            port,
            _Connection(request, answer_bytes, samples, period, now + period * nth / connections),
        )
        for nth in range(connections)
    ]
    await asyncio.sleep(WARM_UP_SECONDS)
    warm_up_requests = len(samples)
    begin = monotonic()
    taken = 0.0
    measured: list[float] = []
    failures: list[str] = []
    while not measured and not failures and taken < _PATIENCE_SECONDS:
        await asyncio.sleep(seconds)
        taken = monotonic() - begin
        measured = [latency for _, latency in samples[warm_up_requests:]]
        failures = [each.failure for each in opened if each.failure is not None]
    for connection in opened:
        connection.close()
    if failures or not measured:
        message = f"the service answered wrongly or not at all: {failures[:1]}"
        raise RuntimeError(message)
    return {
        "throughput": len(measured) / taken,
        "p50_ms": percentile(measured, 50) * 1e3,
        "p99_ms": percentile(measured, 99) * 1e3,
        "requests": len(measured) + warm_up_requests,
        "samples": samples[warm_up_requests:] if samples_wanted else [],
    }


async def _open(port: int, connection: _Connection) -> _Connection:
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: connection, "127.0.0.1", port)
    return connection


async def _answer_bytes(port: int, request: bytes) -> int:
    """Return the length of the answer, headers included; it is the same each time."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
    writer.close()
    return len(head) + int(fields[b"content-length"])


def main() -> None:
    """Obey the orders on standard input until it is closed."""
    cores.pin(cores.OTHERS)
    gc.disable()  # nothing here makes cycles, and a collection would look like a slow service
    for line in sys.stdin:
        print(json.dumps(asyncio.run(generate(**json.loads(line)))), flush=True)


if __name__ == "__main__":
    main()
