"""One way for a program to end, and what is left of its incident then."""

from __future__ import annotations

import re
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from otel_flight.ground.clock import monotonic_ns
from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.spool.spool import Spool
from otel_flight.records.decoder import decode_records
from otel_flight.records.incident_records import IncidentOpened
from otel_flight.records.records import Span
from otel_flight.ring.file import RING_SUFFIX
from otel_flight.ring.layout import LANES
from otel_flight.ring.reader import RingReader
from tests.support.processes.service_process import ServiceProcess

WAYS: Final = {
    "normal": 0,
    "exception": 1,
    "SystemExit": 3,
    "SIGTERM": -15,
    "SIGINT": -2,
    "os._exit": 4,
}
"""How a program ends, each with the exit code that it has without us."""
STATES: Final = ("open", "undelivered")
"""In which state its incident is then."""
SHUTDOWN_SECONDS: Final = 5.0
GRACE_SECONDS: Final = 0.5
"""An end takes at most this many seconds longer than the setting says."""
_VICTIM: Final = str(Path(__file__).with_name("victim.py"))
_ENDS: Final = re.compile(r"^(?:ends|exits) (\d+)$", re.MULTILINE)
_OVER: Final = re.compile(r"^over (\d+)$", re.MULTILINE)
_INCIDENT: Final = re.compile(r"^incident (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Case:
    """A program that ends.

    Attributes:
        how: one of `WAYS`.
        threads: how many daemon threads are at work.
        state: one of `STATES`.
        python: the interpreter.
        spans: how many spans the window holds.
    """

    how: str
    threads: int
    state: str
    python: str = sys.executable
    spans: int = 40_000


@dataclass(frozen=True)
class Outcome:
    """How it ended.

    Attributes:
        exit_code: of the program.
        seconds: that its exit handlers took, or from its last statement to its end where none run.
            What the interpreter does before and afterwards is not ours: with 16 busy threads,
            CPython 3.12 takes up to 1.2 s to print a traceback.
        place: where its incident is: `spool`, `ring`, or `lost`.
    """

    exit_code: int
    seconds: float
    place: str

    def faults(self, case: Case, grace_seconds: float = GRACE_SECONDS) -> Iterator[str]:
        """Yield what is not as it should be.

        Args:
            case: what was to be seen.
            grace_seconds: how much longer than the setting says the end may take.
        """
        if self.exit_code != WAYS[case.how]:
            yield f"exit code {self.exit_code}"
        if self.seconds > SHUTDOWN_SECONDS + grace_seconds:
            yield f"took {self.seconds:.1f} s"
        if self.place == "lost":
            yield "lost"


def run(case: Case) -> Outcome:
    """Let a program end, and look for its incident."""
    with (
        tempfile.TemporaryDirectory(prefix="otel-flight-") as directory,
        socket.create_server(("127.0.0.1", 0)) as silent,
    ):
        folder = Path(directory)
        environment = {
            "OTEL_FLIGHT_RING_DIRECTORY": str(folder / "ring"),
            "OTEL_FLIGHT_SPOOL_DIRECTORY": str(folder / "spool"),
            "OTEL_FLIGHT_SHUTDOWN_TIMEOUT": f"{SHUTDOWN_SECONDS}s",
            "OTEL_FLIGHT_PROTOCOL": "http/protobuf",
        }
        if case.state == "open":
            environment |= {"OTEL_FLIGHT_TAIL": "60s", "OTEL_FLIGHT_EXPORT": "off"}
        else:
            address = f"http://127.0.0.1:{silent.getsockname()[1]}"
            environment |= {"OTEL_FLIGHT_TAIL": "50ms", "OTEL_FLIGHT_ENDPOINT": address}
        arguments = [_VICTIM, case.how, str(case.threads), case.state, str(case.spans)]
        launcher = [case.python]
        with ServiceProcess(arguments, launcher=launcher, environment=environment) as process:
            exit_code = process.wait(90)
            ended_ns = monotonic_ns()
            output = process.output()
        ends, incident = _ENDS.findall(output), _INCIDENT.search(output)
        assert ends, output
        assert incident is not None, output
        over = _OVER.search(output)
        seconds = (int(over[1]) if over else ended_ns) - int(ends[-1])
        return Outcome(exit_code, seconds / 1e9, _place(folder, incident[1], case))


def _place(folder: Path, incident_id: str, case: Case) -> str:
    for entry in Spool(folder / "spool", 1 << 30, 10).entries():
        names = {span.name for span in read_incident(entry.path).window.spans()}
        if entry.incident_id == incident_id and (case.state != "open" or "last" in names):
            return "spool"
    for path in (folder / "ring").glob(f"*{RING_SUFFIX}"):
        with RingReader(path) as reader:
            if not reader.is_owner_alive() and _holds(reader, incident_id):
                return "ring"
    return "lost"


def _holds(reader: RingReader, incident_id: str) -> bool:
    """Tell whether a ring has what an incident needs: that it is open, and the last span."""
    records = [
        record
        for lane in LANES
        for segment in reader.image.segments(lane)
        for record in decode_records(segment.payload, segment.records).records
    ]
    return any(isinstance(each, Span) and each.name == "last" for each in records) and any(
        isinstance(each, IncidentOpened) and each.incident_id == incident_id for each in records
    )
