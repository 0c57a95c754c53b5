"""What a ring says of the incidents of its process: enough to finish them when it is dead.

They are in the runtime lane. A process that ends, however it ends, has nothing to save in time.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

INCIDENT: Final = 8
INCIDENT_STATE: Final = 9

CLOSED: Final = 1
"""An incident is in this state when its tail is over; it is not written yet."""
WRITTEN: Final = 2
"""An incident is in this state when it is in the spool, whose files say how far its delivery is."""
DELIVERED: Final = 3
"""An incident is in this state when a receiver has all its spans; it may be in no spool."""
FAILED: Final = 4
"""An incident is in this state when it could not be kept: only the ring has what it was."""
STATE_WORDS: Final = {
    CLOSED: "closed",
    WRITTEN: "written",
    DELIVERED: "delivered",
    FAILED: "failed",
}
"""This says the states of an incident in words."""


class IncidentOpened(msgspec.Struct, array_like=True, tag=INCIDENT, gc=False):
    """An incident that opened, with its causes so far; in each segment until it is written."""

    incident_id: str
    """The incident's id."""
    opened_ns: int
    """When it opened, by the wall clock, in nanoseconds since the epoch."""
    opened_monotonic_ns: int = 0
    """When it opened, by the monotonic clock."""
    first_records: tuple[int, ...] = ()
    """Of each lane, the number of the first record that may be in its window."""
    exported_to: tuple[int, ...] = ()
    """Of each lane, the number of the first record that is in no earlier incident."""
    previous_incident_id: str = ""
    """The incident of the same process before this one; empty when there was none."""
    causes: tuple[dict[str, Any], ...] = ()
    """Its causes so far, each as in the manifest."""


class IncidentState(msgspec.Struct, array_like=True, tag=INCIDENT_STATE, gc=False):
    """What became of an incident."""

    incident_id: str
    """The incident's id."""
    state: int
    """1: closed, 2: written to the spool, 3: delivered, 4: given up as it could not be kept."""
    time_ns: int
    """When that was, by the wall clock, in nanoseconds since the epoch."""


IncidentRecord = IncidentOpened | IncidentState
