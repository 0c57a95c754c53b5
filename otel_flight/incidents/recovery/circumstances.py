"""What tells why a process died, besides what it has left: it is lost soon after."""

from __future__ import annotations

import socket
from typing import Any, Final

from otel_flight.names import attributes as names
from otel_flight.names import process_attributes as vitals
from otel_flight.ring.dead_rings import exit_status
from otel_flight.ring.facts import OOM_COUNTER, OOM_KILLS
from otel_flight.ring.reader import RingHeader
from otel_flight.ring.ring import boot_id
from otel_flight.sources.kernel.oom_kills import oom_kills

_LEAST_SILENCE_NS: Final = 1_500_000_000
"""A quiet process ticks more than once a second."""


def death_attributes(header: RingHeader, oom_kills_seen: int, died_ns: int) -> dict[str, Any]:
    """Return what the cause of an incident says of a death.

    Args:
        header: of the process's ring.
        oom_kills_seen: how many processes of its container the kernel had killed when it was seen.
        died_ns: when it was last seen alive, by the wall clock.
    """
    found: dict[str, Any] = {names.DEAD_PROCESS: header.pid}
    status = exit_status(header)
    if status is not None:
        found[names.EXIT_STATUS] = status
    silent_ns = died_ns - header.heartbeat_wall_ns
    if silent_ns >= _LEAST_SILENCE_NS:
        found[names.SILENT] = silent_ns
    if kills := _oom_kills_since(header, oom_kills_seen):
        found[vitals.OOM_KILLS] = kills
    return found


def _oom_kills_since(header: RingHeader, seen: int) -> int:
    """Return how many processes were killed since; 0 where another container counts by now."""
    facts = header.facts
    is_here = (facts.get("host"), facts.get("boot_id")) == (socket.gethostname(), boot_id())
    before = facts.get(OOM_KILLS)
    if not is_here or not isinstance(before, int):
        return 0
    return max(0, (oom_kills(str(facts.get(OOM_COUNTER, ""))) or 0) - max(seen, before))
