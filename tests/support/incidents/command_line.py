"""Runs the command line in this process, and puts incidents where it looks for them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from click.testing import CliRunner

from otel_flight.cli import command_line
from otel_flight.incidents.spool.directory import SpoolEntry
from otel_flight.incidents.spool.spool import Spool
from tests.support.incidents.incident_builder import IncidentBuilder

SLOW_ID: Final = "20260101-100000-3f9a1c"
FAILED_ID: Final = "20260102-110000-77ab12"


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it printed on both streams."""

    exit_code: int
    output: str

    def json(self) -> Any:
        """Return what was printed, as the JSON it is."""
        return json.loads(self.output)


def run(*arguments: str) -> Outcome:
    """Run a command as a user would; nothing but exit codes may come out of it."""
    result = CliRunner().invoke(command_line(), arguments, prog_name="otel-flight")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.output)


def fill_spool(directory: Path, ring_directory: Path) -> tuple[SpoolEntry, SpoolEntry]:
    """Put a slow and, later, a failed request of the service `shop` into a spool."""
    spool = Spool(directory, 1 << 30, 10)
    with IncidentBuilder(ring_directory) as builder:
        for start in range(0, 2000, 100):
            builder.request("GET /items", start, start + 20)
        root = builder.open("GET /report", 500)
        builder.span("inventory", 510, 2000, root)
        builder.end(root, 2100)
        slow = builder.incident(builder.slow(root, 2100), closed_ms=4100, incident_id=SLOW_ID)
        failed = builder.span("charge card", 5000, 5010, error=ValueError("declined"))
        cause = builder.failed(failed, 5010)
        failure = builder.incident(cause, closed_ms=7000, incident_id=FAILED_ID)
    return spool.add(slow), spool.add(failure)
