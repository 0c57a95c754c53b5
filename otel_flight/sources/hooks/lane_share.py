"""How much of the runtime lane one source may fill, so that there is room for the others."""

from __future__ import annotations

from otel_flight.settings.fields import CoreSettings


class LaneShare:
    """Bytes to write: some at once, more as time passes. Any thread takes, the ticker gives.

    Threads that take at the same moment may take a record more than there is; nothing is counted
    exactly here, but for what was refused.

    Args:
        settings: how large the lane is, and how long a window.
        at_once: the part of the lane that may be filled at any moment.
        in_window: the part that may be filled besides, during one window.
        now_ns: the monotonic clock.

    Attributes:
        refused: how often there was nothing left.
    """

    def __init__(
        self, settings: CoreSettings, *, at_once: float, in_window: float, now_ns: int
    ) -> None:
        lane_bytes = settings.runtime_lane_bytes
        self._most = lane_bytes * at_once
        self._a_nanosecond = lane_bytes * in_window / (settings.window_seconds * 1e9)
        self._left = self._most
        self._given_ns = now_ns
        self._told = 0
        self.refused = 0

    def has_room(self) -> bool:
        """Tell whether a record may be written; counts a refusal."""
        if self._left > 0:
            return True
        self.refused += 1
        return False

    def take(self, size: int) -> None:
        """Note that so many bytes were written, about."""
        self._left -= size

    def give(self, now_ns: int) -> int:
        """Allow for more as time has passed; return the refusals since the last call."""
        more = (now_ns - self._given_ns) * self._a_nanosecond
        self._given_ns = now_ns
        self._left = min(self._most, self._left + more)
        refused = self.refused
        since, self._told = refused - self._told, refused
        return since
