"""Stretches of time: what covers what."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from otel_flight.ground.intervals import Interval, distance_ns, overlap_ns, union, union_ns, without

MOMENTS = st.integers(0, 40)
INTERVALS = st.builds(lambda one, two: Interval(min(one, two), max(one, two)), MOMENTS, MOMENTS)


@given(st.lists(INTERVALS, max_size=6), INTERVALS)
def test_a_union_counts_each_moment_once(items: list[Interval], within: Interval) -> None:
    """What several cover together is the set of the moments that any of them covers."""
    moments = {moment for item in items for moment in range(*item)} & set(range(*within))

    assert union_ns(items, within) == len(moments)
    assert {moment for part in union(items, within) for moment in range(*part)} == moments


@given(INTERVALS, INTERVALS)
def test_an_overlap_is_the_union_of_one_within_the_other(one: Interval, other: Interval) -> None:
    """It is the same both ways, and none where they do not touch."""
    assert overlap_ns(one, other) == overlap_ns(other, one) == union_ns([one], other)


@given(INTERVALS, st.lists(INTERVALS, max_size=6))
def test_what_is_left_is_what_no_other_covers(part: Interval, others: list[Interval]) -> None:
    """By start, and nothing of no length."""
    apart = list(union(others, Interval(0, 40)))
    left = list(without(part, apart))

    moments = set(range(*part)) - {moment for other in apart for moment in range(*other)}
    assert [moment for each in left for moment in range(*each)] == sorted(moments)
    assert all(each.duration_ns > 0 for each in left)


def test_a_distance_is_to_the_nearer_end() -> None:
    """A moment within is not away at all."""
    item = Interval(10, 20)

    assert [distance_ns(item, moment) for moment in (7, 10, 15, 20, 24)] == [3, 0, 0, 0, 4]
