"""How many incidents there may be: two token buckets, and what is kept in them for worse."""

from __future__ import annotations

from typing import Final

from otel_flight.triggers.gate.severity import Severity

_HOUR_NS: Final = 3_600_000_000_000
_MOST_CHARGED: Final = 64
"""What an incident has cost is known of at most this many, the last ones."""


class _TokenBucket:
    """It holds what there is for an hour, and fills up within one."""

    def __init__(self, capacity: int, now_ns: int) -> None:
        self._capacity = capacity
        self._tokens = float(capacity)
        self._filled_ns = now_ns

    def left(self, now_ns: int) -> float:
        """Return how many tokens there are."""
        earned = (now_ns - self._filled_ns) * self._capacity / _HOUR_NS
        self._filled_ns = now_ns
        self._tokens = min(self._capacity, self._tokens + earned)
        return self._tokens

    def take(self, tokens: int) -> None:
        """Take tokens out, or with a negative number put them back."""
        self._tokens = min(self._capacity, self._tokens - tokens)


class Budget:
    """What incidents cost. The gate's lock guards it.

    Half of it is kept for causes that were not heard of within the hour and for failed local roots,
    the last quarter for what is both. What was survived gets a quarter at most, of the other half.
    """

    def __init__(self, per_hour: int, now_ns: int) -> None:
        self._half, self._quarter = per_hour // 2, per_hour // 4
        self._all = _TokenBucket(per_hour, now_ns)
        self._survived = _TokenBucket(max(1, self._quarter), now_ns)
        self._charged: dict[str, bool] = {}

    def allows(self, severity: Severity, now_ns: int, *, is_new: bool) -> bool:
        """Return whether there may be an incident for a cause, which was not heard of if new."""
        if severity is Severity.SURVIVED:
            return self._survived.left(now_ns) >= 1 and self._all.left(now_ns) >= 1 + self._half
        kept = (self._half, self._quarter, 0)[(severity <= Severity.FAILED) + is_new]
        return self._all.left(now_ns) >= 1 + kept

    def charge(self, incident_id: str, severity: Severity) -> None:
        """Pay for an incident."""
        is_survived = severity is Severity.SURVIVED
        self._all.take(1)
        self._survived.take(is_survived)
        self._charged[incident_id] = is_survived
        if len(self._charged) > _MOST_CHARGED:
            del self._charged[next(iter(self._charged))]

    def joined(self, incident_id: str, severity: Severity) -> None:
        """Let an incident that something worse has joined be no longer one of what was survived."""
        if severity < Severity.SURVIVED and self._charged.get(incident_id):
            self._charged[incident_id] = False
            self._survived.take(-1)

    def give_back(self, incident_id: str) -> None:
        """Return what an incident has cost, once."""
        is_survived = self._charged.pop(incident_id, None)
        if is_survived is not None:
            self._all.take(-1)
            self._survived.take(-is_survived)
