"""The file in which learned limits outlive a process, beside the incidents of the spool.

All processes of a directory share it: each reads it at its start, and writes into it now and then
what it knows better. A file that cannot be read is as none, and is replaced.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import msgspec

from otel_flight.errors import SpoolUnavailable
from otel_flight.ground.native import posix
from otel_flight.ground.own_files import lock_directory, open_directory, open_file, whole_file
from otel_flight.triggers.latency.learned import MOST_ROUTES
from otel_flight.triggers.latency.sketch import LatencySketch

FILE_NAME: Final = "learned-limits.json"
MOST_SERVICES: Final = 32
"""At most so many services are kept, those that were written last."""
KEPT_SECONDS: Final = 30 * 24 * 3600
"""A name that was not seen for so many seconds is forgotten."""
_MOST_BYTES: Final = 32 << 20
_Name = Annotated[str, msgspec.Meta(max_length=4096)]


class ServiceKnowledge(msgspec.Struct):
    """What is known of one service.

    Attributes:
        written_at: when it was written last, in seconds of the wall clock.
        roots: the distributions, by normal names of local roots.
    """

    written_at: float = 0.0
    roots: Annotated[dict[_Name, LatencySketch], msgspec.Meta(max_length=4 * MOST_ROUTES)] = (
        msgspec.field(default_factory=dict)
    )


class _File(msgspec.Struct):
    services: dict[_Name, ServiceKnowledge] = msgspec.field(default_factory=dict)


def read_knowledge(directory: Path) -> dict[str, ServiceKnowledge]:
    """Return what is known of each service; of none when there is no file, or a broken one."""
    try:
        # Not by the built-in `open`, which is gone at the very end of some programs.
        with os.fdopen(open_file(directory / FILE_NAME), "rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            return {}
        return msgspec.json.decode(data, type=_File).services
    except (OSError, ValueError, msgspec.MsgspecError, RecursionError):
        return {}


def write_knowledge(
    directory: Path, service: str, roots: Mapping[str, LatencySketch], now: float
) -> None:
    """Write what is known of a service; of a name that others know better, theirs stays.

    Blocks for milliseconds, and for up to a second while another process writes.

    Raises:
        OSError: it could not be written; what was there stays.
    """
    descriptor = open_directory(directory, SpoolUnavailable)
    try:
        if not lock_directory(descriptor):
            return
        services = read_knowledge(directory)
        known = dict(services.pop(service, ServiceKnowledge()).roots)
        for name, sketch in roots.items():
            if name not in known or known[name].values <= sketch.values:
                known[name] = sketch
        recent = {name: each for name, each in known.items() if now - each.seen_at < KEPT_SECONDS}
        newest = sorted(recent, key=lambda name: recent[name].seen_at, reverse=True)[:MOST_ROUTES]
        services[service] = ServiceKnowledge(now, {name: recent[name] for name in newest})
        kept = sorted(services, key=lambda name: services[name].written_at)[-MOST_SERVICES:]
        for each in services.values():
            for sketch in each.roots.values():
                sketch.settle()
        file = _File({name: services[name] for name in kept})
        with whole_file(directory / FILE_NAME) as stream:
            stream.write(msgspec.json.encode(file))
    finally:
        with contextlib.suppress(OSError):
            posix.close(descriptor)
