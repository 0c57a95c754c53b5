"""How long each cause must be quiet before it makes another incident."""

from __future__ import annotations

from typing import Final

import msgspec

from otel_flight.triggers.gate.firing import Firing
from otel_flight.triggers.gate.severity import Severity

_LONGEST_NS: Final = 3_600_000_000_000
"""A cooldown doubles up to this many nanoseconds, or stays at what is set if that is more."""
_SURVIVED: Final = 240
"""The cooldown of what was survived begins at, and doubles up to, this many times what is set and
`_SURVIVED_LONGEST_NS`."""
_SURVIVED_LONGEST_NS: Final = 24 * _LONGEST_NS
_MAX_CAUSES: Final = 1024


class CauseHistory(msgspec.Struct):
    """When a cause was told, and fired last; how long it cools down, and which incident told it."""

    told_ns: int
    fired_ns: int
    cooldown_ns: int
    incident_id: str


class Cooldowns(msgspec.Struct):
    """When each cause was told and fired last. The gate's lock guards it.

    A cause that goes on fires again and again: its cooldown doubles each time that it is told. It
    begins anew once nothing was heard of it for twice as long.
    """

    cooldown_ns: int
    causes: dict[tuple[str, ...], CauseHistory] = {}

    def is_cooling_down(self, firing: Firing, now_ns: int) -> bool:
        """Return whether a cause was told too lately to be told again, by another incident."""
        known = self.causes.get(firing.fingerprint)
        if known is None or now_ns - known.told_ns >= known.cooldown_ns:
            return False
        known.fired_ns = now_ns
        return True

    def was_heard_of(self, firing: Firing, now_ns: int) -> bool:
        """Return whether a cause has fired within the last hour."""
        known = self.causes.get(firing.fingerprint)
        return known is not None and now_ns - known.fired_ns < _LONGEST_NS

    def tell(self, firing: Firing, incident_id: str, now_ns: int) -> None:
        """Begin the cooldown of a cause that an incident tells of, forgetting the oldest cause."""
        known = self.causes.pop(firing.fingerprint, None)
        if known is not None and known.incident_id == incident_id:
            known.fired_ns = now_ns
        else:
            cooldown_ns = self._next_ns(firing, known, now_ns)
            known = CauseHistory(now_ns, now_ns, cooldown_ns, incident_id)
        self.causes[firing.fingerprint] = known
        if len(self.causes) > _MAX_CAUSES:
            del self.causes[next(iter(self.causes))]

    def _next_ns(self, firing: Firing, known: CauseHistory | None, now_ns: int) -> int:
        is_survived = firing.severity is Severity.SURVIVED
        first_ns = self.cooldown_ns * (_SURVIVED if is_survived else 1)
        if known is None or now_ns - known.fired_ns >= 2 * known.cooldown_ns:
            return first_ns
        longest_ns = _SURVIVED_LONGEST_NS if is_survived else _LONGEST_NS
        return max(first_ns, min(2 * known.cooldown_ns, longest_ns))
