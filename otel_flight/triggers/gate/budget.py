"""How many incidents there may be: two token buckets, and what is kept in them for worse."""

from __future__ import annotations

from typing import Final

import msgspec

from otel_flight.triggers.gate.severity import Severity

_HOUR_NS: Final = 3_600_000_000_000
_MOST_CHARGED: Final = 64
"""What an incident has cost is known of at most this many, the last ones."""


class TokenBucket(msgspec.Struct):
    """It holds what there is for an hour, and fills up within one."""

    capacity: int
    tokens: float
    filled_ns: int

    def left(self, now_ns: int) -> float:
        """Return how many tokens there are."""
        earned = (now_ns - self.filled_ns) * self.capacity / _HOUR_NS
        self.filled_ns = now_ns
        self.tokens = min(self.capacity, self.tokens + earned)
        return self.tokens

    def take(self, tokens: int) -> None:
        """Take tokens out, or with a negative number put them back."""
        self.tokens = min(self.capacity, self.tokens - tokens)


class Budget(msgspec.Struct):
    """What incidents cost. The gate's lock guards it.

    Half of it is kept for causes that were not heard of within the hour and for failed local roots,
    the last quarter for what is both. What was survived gets a quarter at most, of the other half.
    """

    all: TokenBucket
    survived: TokenBucket
    charged: dict[str, bool] = {}

    @classmethod
    def full(cls, per_hour: int, now_ns: int) -> Budget:
        """Return what there is at the beginning."""
        quarter = max(1, per_hour // 4)
        return cls(TokenBucket(per_hour, per_hour, now_ns), TokenBucket(quarter, quarter, now_ns))

    def resize(self, per_hour: int) -> None:
        """Go by another setting from now on."""
        self.all.capacity, self.survived.capacity = per_hour, max(1, per_hour // 4)

    def allows(self, severity: Severity, now_ns: int, *, is_new: bool) -> bool:
        """Return whether there may be an incident for a cause, which was not heard of if new."""
        half, quarter = self.all.capacity // 2, self.all.capacity // 4
        if severity is Severity.SURVIVED:
            return self.survived.left(now_ns) >= 1 and self.all.left(now_ns) >= 1 + half
        kept = (half, quarter, 0)[(severity <= Severity.FAILED) + is_new]
        return self.all.left(now_ns) >= 1 + kept

    def charge(self, incident_id: str, severity: Severity) -> None:
        """Pay for an incident."""
        is_survived = severity is Severity.SURVIVED
        self.all.take(1)
        self.survived.take(is_survived)
        self.charged[incident_id] = is_survived
        if len(self.charged) > _MOST_CHARGED:
            del self.charged[next(iter(self.charged))]

    def joined(self, incident_id: str, severity: Severity) -> None:
        """Let an incident that something worse has joined be no longer one of what was survived."""
        if severity < Severity.SURVIVED and self.charged.get(incident_id):
            self.charged[incident_id] = False
            self.survived.take(-1)

    def give_back(self, incident_id: str) -> None:
        """Return what an incident has cost, once."""
        is_survived = self.charged.pop(incident_id, None)
        if is_survived is not None:
            self.all.take(-1)
            self.survived.take(-is_survived)
