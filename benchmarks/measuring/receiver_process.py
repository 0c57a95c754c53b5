"""An OTLP receiver in a process of its own, which counts spans and holds none.

In the measured process it would take the interpreter lock whose waits are being measured. What it
counted stands in a shared file, so that looking costs the measured process no system call.
"""

from __future__ import annotations

import signal
import struct
import sys
import tempfile
import time
from contextlib import ExitStack
from mmap import mmap
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, final

from benchmarks.measuring import cores
from benchmarks.measuring.child_process import REPOSITORY
from tests.support.processes.service_process import ServiceProcess
from tests.support.receivers.otlp_messages import ReceivedRequest, spans_in
from tests.support.receivers.otlp_receiver import OtlpReceiver

_COUNTS = struct.Struct("=4q")
_READY = "receiving"


class Received(NamedTuple):
    """What has arrived so far.

    Attributes:
        spans: The application's spans, each counted once.
        repeated_spans: Spans of the application that came again under the same id.
        own_spans: Spans that a recorder made itself, told by their `flight_recorder.kind`.
        last_ns: Monotonic clock at the last request; 0 before the first.
    """

    spans: int
    repeated_spans: int
    own_spans: int
    last_ns: int


@final
class ReceiverProcess:
    """Run the receiver until the `with` block ends, on the core of the others."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> ReceiverProcess:
        directory = self._stack.enter_context(tempfile.TemporaryDirectory())
        counts_path = Path(directory) / "counts"
        counts_path.write_bytes(bytes(_COUNTS.size))
        process = self._stack.enter_context(
            ServiceProcess(
                ["-m", "benchmarks.measuring.receiver_process", str(counts_path)],
                working_directory=REPOSITORY,
            )
        )
        process.wait_for_output(_READY + "\n")
        self.endpoint = process.output().split()[0]
        self.counts_path = counts_path
        self._counts = open_counts(counts_path)
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._counts.close()
        self._stack.close()

    def received(self) -> Received:
        """Return what has arrived so far."""
        return read_counts(self._counts)


def open_counts(path: Path) -> mmap:
    """Return the receiver's shared counts, for `read_counts`; any process may."""
    with path.open("r+b") as file:
        return mmap(file.fileno(), _COUNTS.size)


def read_counts(counts: mmap) -> Received:
    """Return what has arrived so far."""
    return Received(*_COUNTS.unpack(counts))


def wait_until_quiet(counts: mmap, quiet_seconds: float, timeout_seconds: float) -> Received:
    """Block until something has arrived and then nothing for so long, or until the timeout."""
    deadline_ns = time.monotonic_ns() + int(timeout_seconds * 1e9)
    while True:
        received = read_counts(counts)
        now_ns = time.monotonic_ns()
        is_quiet = received.last_ns and now_ns - received.last_ns > quiet_seconds * 1e9
        if is_quiet or now_ns > deadline_ns:
            return received
        time.sleep(0.05)


class _Counter:
    """Write the counts after each request."""

    def __init__(self, path: Path) -> None:
        self._counts = open_counts(path)
        self._seen: set[bytes] = set()
        self._repeated_spans = 0
        self._own_spans = 0

    def count(self, request: ReceivedRequest) -> None:
        for _, _, span in spans_in(request.message):
            if any(pair.key == "flight_recorder.kind" for pair in span.attributes):
                self._own_spans += 1
            elif span.span_id in self._seen:
                self._repeated_spans += 1
            else:
                self._seen.add(span.span_id)
        self._counts[:] = _COUNTS.pack(
            len(self._seen), self._repeated_spans, self._own_spans, request.received_ns
        )


def main(counts_path: str) -> None:
    """Receive until killed; print the endpoint when ready."""
    cores.pin(cores.OTHERS)
    with OtlpReceiver(on_request=_Counter(Path(counts_path)).count) as receiver:
        print(receiver.http_endpoint)
        print(_READY, flush=True)
        signal.pause()


if __name__ == "__main__":
    main(sys.argv[1])
