"""The incidents that the ring of a dead process holds, before anybody makes files of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec

from otel_flight.incidents.incident import Incident
from otel_flight.incidents.recovery.recovered import DeadProcess
from otel_flight.ring.dead_rings import is_replaced
from otel_flight.ring.reader import RingReader


def unclaimed_incidents(path: Path, window_seconds: float) -> list[Incident]:
    """Return what recovering a ring would make of it, under the same ids; the ring stays.

    They are not examined, and have the ring's path. None: its process lives, or ended as it should.

    Args:
        path: the ring.
        window_seconds: how far back an incident reaches.

    Raises:
        NotARing: it is none, or is gone.
    """
    with RingReader(path) as reader:
        header = reader.image.header()
        if header.is_clean or reader.is_owner_alive() or is_replaced(header):
            return []
        dead = DeadProcess.of(reader.image, path)
        return [
            replace(
                each.with_manifest(msgspec.structs.replace(each.manifest, is_unexamined=True)),
                path=path,
            )
            for each in _incidents_of(dead, window_seconds)
        ]


def _incidents_of(dead: DeadProcess, window_seconds: float) -> Iterator[Incident]:
    for opened in dead.unfinished:
        yield dead.finished(opened, window_seconds, {})
    if not dead.unfinished and dead.has_recorded:
        death = dead.death(window_seconds)
        if not dead.was_ended(death.manifest.causes[0]):
            yield death
