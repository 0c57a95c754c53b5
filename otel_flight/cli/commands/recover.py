"""`otel-flight recover`: finish what processes have left that died."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import click

from otel_flight.assembly import ASSEMBLY
from otel_flight.cli.base import (
    Invocation,
    directory_options,
    json_option,
    pass_invocation,
    print_json,
)
from otel_flight.cli.rings import RingListing
from otel_flight.errors import NotARing
from otel_flight.ground.guard import Guard
from otel_flight.incidents.recovery.recoverer import Recoverer
from otel_flight.ring.dead_rings import dead_rings
from otel_flight.ring.facts import SERVICE, SPOOL
from otel_flight.ring.reader import RingReader
from otel_flight.words import count


@dataclass(frozen=True)
class _Recovered:
    ring: str
    service: str
    pid: int
    incidents: list[str]
    """The files of its incidents."""


@click.command()
@click.option("--service", help="Only processes of this service.")
@json_option
@directory_options
@pass_invocation
def recover(invocation: Invocation, service: str | None, as_json: bool) -> None:
    """Make incidents of the rings that dead processes have left, and remove those.

    A running process of the same service does that by itself within two seconds. Incidents go into
    the spool of the process that died; `export` sends them.
    """
    found = [
        recovered
        for path in dead_rings(invocation.ring_directories)
        if (recovered := _recover(invocation, path, service)) is not None
    ]
    if as_json:
        print_json([asdict(each) for each in found])
        return
    if not found:
        click.echo(f"no dead process in {invocation.ring_directories[0]}")
    for each in found:
        made = count(len(each.incidents), "incident")
        click.echo(f"process {each.pid} of {each.service or '(unknown)'}: {made}")
        for file in each.incidents:
            click.echo(f"  {file}")


def _recover(invocation: Invocation, path: Path, service: str | None) -> _Recovered | None:
    try:
        with RingReader(path) as reader:
            listing = RingListing(path, reader.image.header(), is_alive=False)
        spool = listing.header.facts.get(SPOOL)
        recoverer = Recoverer(
            spool=invocation.spool(Path(str(spool)) if spool else None),
            rulebook=ASSEMBLY.rulebook,
            guard=Guard(),
            window_seconds=invocation.settings.window_seconds,
            joined=(lambda incident_id: ()) if invocation.settings.host_incidents else None,
        )
        entries = recoverer.recover(path, service)
    except NotARing:  # being made just now, or of another version
        return None
    if entries is None:
        return None
    name = str(listing.header.facts.get(SERVICE, ""))
    files = [str(entry.path) for entry in entries]
    return _Recovered(str(path), name, listing.header.pid, files)
