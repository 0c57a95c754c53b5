"""The window at the moment of the trigger, then grown by what came in the tail."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from otel_flight.ground.clock import ClockPair
from otel_flight.incidents.gil_yields import YieldGil, keep_gil
from otel_flight.incidents.manifest import Coverage
from otel_flight.incidents.window import WindowSegment
from otel_flight.ring.layout import LANES
from otel_flight.ring.reader import RingImage, Segment

_SEGMENTS_BETWEEN_YIELDS: Final = 8
"""The GIL is given up after this many copies; one takes 40 µs, from memory in no CPU's cache."""
_ALL_RECORDS: Final[Mapping[int, int]] = MappingProxyType({})


class FrozenWindow:
    """Copies of the ring's segments that reach back `window_seconds` from a moment.

    Copying the full 16 MiB takes some milliseconds, a segment at a time, on the ticker's thread. It
    is held in memory until the worker has written it: at most one window and its tail.

    Args:
        image: the ring.
        moment: when the trigger fired, by both clocks.
        window_seconds: how far back to reach.
        first_records: by lane, the first record that may belong to the window; none: all may.
        yield_gil: called every few segments, so that a live process can get on with its work.
        until_monotonic_ns: segments that were opened later are left out; None: none are.

    Attributes:
        moment: when the trigger fired, by both clocks.
    """

    def __init__(
        self,
        image: RingImage,
        moment: ClockPair,
        window_seconds: float,
        yield_gil: YieldGil = keep_gil,
        *,
        first_records: Mapping[int, int] = _ALL_RECORDS,
        until_monotonic_ns: int | None = None,
    ) -> None:
        self._first_records = first_records
        self._yield_gil = yield_gil
        self.moment = moment
        self._until_ns = until_monotonic_ns
        self._window_ns = int(window_seconds * 1e9)
        self._lanes: dict[int, dict[int, Segment]] = {lane: {} for lane in LANES}
        self.grow(image)
        for segments in self._lanes.values():
            self._forget_old(segments)

    def grow(self, image: RingImage) -> None:
        """Add what was recorded since; a segment that was open before is copied again, fuller."""
        for lane, segments in self._lanes.items():
            newest = max(segments, default=1)
            copies = image.segments(lane, after_sequence=newest - 1)
            for number, segment in enumerate(copies, start=1):
                if self._until_ns is not None and segment.opened_monotonic_ns > self._until_ns:
                    break
                segments[segment.sequence] = segment
                if number % _SEGMENTS_BETWEEN_YIELDS == 0:
                    self._yield_gil()

    def segments(self) -> list[WindowSegment]:
        """Return what was copied, by lane, oldest first, each with how much of it is too old."""
        return [
            WindowSegment(segment, self._outdated(segment))
            for lane in LANES
            for _, segment in sorted(self._lanes[lane].items())
        ]

    def end_records(self) -> dict[int, int]:
        """Return, by lane, the number of the record after the last one copied."""
        return {
            lane: segments[max(segments)].end_record
            for lane, segments in self._lanes.items()
            if segments
        }

    def missing_records(self) -> int:
        """Return how many records between the oldest and the newest copied could not be copied."""
        missing = 0
        for segments in self._lanes.values():
            ordered = [segments[sequence] for sequence in sorted(segments)]
            for segment, following in pairwise(ordered):
                missing += following.first_record - segment.end_record
        return missing

    def coverage(self, lane: int, end_ns: int) -> Coverage:
        """Return which time was asked for and which a lane covers."""
        segments = self._lanes[lane]
        requested_start = self.moment.wall_ns - self._window_ns
        if not segments:
            return Coverage(
                requested_seconds=self._window_ns / 1e9, requested_start_ns=requested_start
            )
        oldest = segments[min(segments)]
        return Coverage(
            requested_seconds=self._window_ns / 1e9,
            requested_start_ns=requested_start,
            start_ns=max(oldest.opened_ns, requested_start),
            end_ns=end_ns,
            is_complete=oldest.first_record == 0 or self._age_ns(oldest) >= self._window_ns,
        )

    def _forget_old(self, segments: dict[int, Segment]) -> None:
        """Leave out segments that were followed by another one before the window began."""
        ordered = sorted(segments)
        for sequence, following in pairwise(ordered):
            if self._age_ns(segments[following]) > self._window_ns:
                del segments[sequence]

    def _age_ns(self, segment: Segment) -> int:
        return self.moment.monotonic_ns - segment.opened_monotonic_ns

    def _outdated(self, segment: Segment) -> int:
        first = self._first_records.get(segment.lane, 0)
        return min(max(first - segment.first_record, 0), segment.records)
