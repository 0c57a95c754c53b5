"""How much of the lane one source may fill."""

from __future__ import annotations

from otel_flight.assembly import Settings
from otel_flight.sources.hooks.lane_share import LaneShare

LANE = Settings().runtime_lane_bytes
WINDOW_NS = int(Settings().window_seconds * 1e9)


def share() -> LaneShare:
    """A quarter at once, a half in a window, at time 0."""
    return LaneShare(Settings(), at_once=0.25, in_window=0.5, now_ns=0)


def taken_until_refused(lane_share: LaneShare, size: int = 1024) -> int:
    """Take as much as there is, and return how much that was."""
    taken = 0
    while lane_share.has_room():
        lane_share.take(size)
        taken += size
    return taken


def test_a_burst_may_fill_its_part_at_once() -> None:
    """And no more, until time passes."""
    lane_share = share()

    assert taken_until_refused(lane_share) == LANE // 4
    assert not lane_share.has_room()


def test_time_gives_more() -> None:
    """As much as the part in a window is, spread over it; never more at once than the burst."""
    lane_share = share()
    taken_until_refused(lane_share)

    total = 0
    for tick in range(1, 601):
        lane_share.give(WINDOW_NS * tick // 600)
        total += taken_until_refused(lane_share)
    lane_share.give(WINDOW_NS * 100)

    assert abs(total - LANE // 2) <= 1024
    assert taken_until_refused(lane_share) == LANE // 4


def test_refusals_are_counted_and_told_once() -> None:
    """In all, and since the last time."""
    lane_share = share()
    taken_until_refused(lane_share)
    lane_share.has_room()

    assert lane_share.refused == 2
    assert [lane_share.give(0), lane_share.give(0)] == [2, 0]
