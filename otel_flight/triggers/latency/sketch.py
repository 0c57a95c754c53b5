"""The distribution of durations of one kind of root, in a few hundred numbers, recent ones first.

It is a histogram with logarithmic buckets, as DDSketch has them. The `ddsketch` package would be
two more dependencies of every service; its newest release is of April 2024, it does not forget, and
what it knows can be stored through generated protobuf classes only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec

GROWTH: Final = 1.05
"""A bucket ends at this many times where it begins: a quantile is at most 5 % too large."""
HALF_LIFE_SECONDS: Final = 7200.0
"""What was seen so many seconds before counts half, unless fewer than `HALF_LIFE_VALUES` came in
that time."""
HALF_LIFE_VALUES: Final = 64
"""What was seen counts half after so many newer values, at the earliest: a report that is made once
a day is remembered."""
_LONGEST_NS: Final = 7 * 24 * 3_600_000_000_000
_LEAST_NS: Final = 1000
_LEAST_WEIGHT: Final = 1e-7
_MOST_WEIGHT: Final = 1e9
_LOG_GROWTH: Final = math.log(GROWTH)

_Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
_Bucket = Annotated[int, msgspec.Meta(ge=0, le=1000)]
_Weight = Annotated[float, msgspec.Meta(ge=0, le=1e12)]


class LatencySketch(msgspec.Struct):
    """Durations of one kind of root. One thread at a time.

    Attributes:
        values: how many there were, ever.
        seen_at: when the last one was, in seconds of the wall clock.
        weights: how much there is in each bucket; a value counts `weight` when it comes.
        weight: grows with time, instead of all others becoming less.
    """

    values: _Count = 0
    seen_at: float = 0.0
    weights: Annotated[dict[_Bucket, _Weight], msgspec.Meta(max_length=1001)] = {}
    weight: Annotated[float, msgspec.Meta(ge=1, le=1e12)] = 1.0

    def add(self, duration_ns: int, now: float) -> None:
        """Add a duration; `now` is in seconds of the wall clock, which may go back. 0.5 µs."""
        age = now - self.seen_at
        if age > 0:
            if self.values:
                self.weight *= 2.0 ** min(age / HALF_LIFE_SECONDS, 1 / HALF_LIFE_VALUES)
            self.seen_at = now
        self.values += 1
        # In this order: whoever sets the times of a span may have set one that is no number.
        bounded_ns = min(duration_ns, _LONGEST_NS) if duration_ns > _LEAST_NS else _LEAST_NS
        bucket = int(math.log(bounded_ns / _LEAST_NS) / _LOG_GROWTH)
        self.weights[bucket] = self.weights.get(bucket, 0.0) + self.weight
        if self.weight > _MOST_WEIGHT:
            self.settle()

    def copy(self) -> LatencySketch:
        """Return the same, for another thread."""
        return LatencySketch(self.values, self.seen_at, dict(self.weights), self.weight)

    def settle(self) -> None:
        """Let a new value count 1 again, and forget what is next to nothing by now."""
        shares = ((bucket, each / self.weight) for bucket, each in self.weights.items())
        self.weights = {bucket: share for bucket, share in shares if share > _LEAST_WEIGHT}
        self.weight = 1.0

    def quantiles_ns(self, shares: Sequence[float]) -> list[int]:
        """Return the durations that these shares of the values did not exceed; 0: there are none.

        10 µs for each share, and as much for sorting.
        """
        total = sum(self.weights.values())
        buckets = sorted(self.weights, reverse=True)
        return [self._quantile_ns(buckets, (1 - share) * total) for share in shares]

    def _quantile_ns(self, buckets: Sequence[int], above: float) -> int:
        for bucket in buckets:
            above -= self.weights[bucket]
            if above < 0:
                return int(_LEAST_NS * math.exp((bucket + 1) * _LOG_GROWTH))
        return int(_LEAST_NS * math.exp((buckets[-1] + 1) * _LOG_GROWTH)) if buckets else 0
