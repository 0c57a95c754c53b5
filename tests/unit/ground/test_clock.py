"""The clock, and the conversion between its two times."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import otel_flight
from otel_flight.ground import native
from otel_flight.ground.clock import (
    SYSTEM_CLOCK,
    ClockPair,
    SystemClock,
    monotonic_ns,
    thread_time_ns,
    wall_ns,
)

PACKAGE = Path(otel_flight.__file__).parent
SECOND = 1_000_000_000


class ScriptedClock:
    """A clock that reads out prepared times."""

    def __init__(self, wall: Iterator[int], monotonic: Iterator[int]) -> None:
        self._wall = wall
        self._monotonic = monotonic

    def wall_ns(self) -> int:
        """Return the next wall time."""
        return next(self._wall)

    def monotonic_ns(self) -> int:
        """Return the next monotonic time."""
        return next(self._monotonic)


def test_the_system_clock_tells_the_times_of_the_system() -> None:
    """The times are those of the original `time` module, read without a Python call in between."""
    system: Any = SystemClock
    assert system.wall_ns is wall_ns is native.time.time_ns
    assert system.monotonic_ns is monotonic_ns is native.time.monotonic_ns
    assert thread_time_ns is native.time.thread_time_ns


def test_a_pair_converts_between_its_two_times() -> None:
    """What is n later on one clock is n later on the other, and there and back is the same."""
    pair = ClockPair(wall_ns=1000 * SECOND, monotonic_ns=7 * SECOND)

    assert pair.to_wall_ns(9 * SECOND) == 1002 * SECOND
    assert pair.to_monotonic_ns(995 * SECOND) == 2 * SECOND
    assert pair.to_monotonic_ns(pair.to_wall_ns(123)) == 123


def test_intervals_survive_a_jump_of_the_wall_clock() -> None:
    """When the wall clock is set back, times converted through one pair still go forward."""
    start = ClockPair(wall_ns=1000 * SECOND, monotonic_ns=7 * SECOND)
    after_jump = ClockPair(wall_ns=400 * SECOND, monotonic_ns=9 * SECOND)

    assert start.to_wall_ns(after_jump.monotonic_ns) - start.wall_ns == 2 * SECOND


def test_a_pair_is_taken_from_the_tightest_of_three_attempts() -> None:
    """A thread that loses its turn between the two reads does not spoil the pair."""
    clock = ScriptedClock(wall=iter([100, 200, 300]), monotonic=iter([0, 90, 91, 95, 96, 150]))

    assert ClockPair.now(clock) == ClockPair(wall_ns=200, monotonic_ns=93)


def test_a_pair_of_the_system_is_one_moment() -> None:
    """The wall time of a pair lies between wall times read before and after it."""
    before = SYSTEM_CLOCK.wall_ns()
    pair = ClockPair.now()
    after = SYSTEM_CLOCK.wall_ns()

    assert before <= pair.wall_ns <= after


def reads_time(node: ast.AST) -> bool:
    """Return whether this uses a clock of `time` or `datetime`; sleeping does not."""
    if isinstance(node, ast.ImportFrom):
        return node.module == "time" and any(alias.name != "sleep" for alias in node.names)
    if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
        return False
    if node.value.id == "time":
        return node.attr != "sleep"
    return node.value.id in {"date", "datetime"} and node.attr in {"now", "today", "utcnow"}


def test_time_is_read_nowhere_else() -> None:
    """No other module of the package reads time by itself, so a test's own clock reaches all."""
    readers = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if any(reads_time(node) for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    }

    assert readers == {"ground/clock.py", "ground/native.py"}
