"""Which firings become incidents: join, cooldown, budget."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable

import pytest

from otel_flight.assembly import Settings
from otel_flight.testing import FakeClock
from otel_flight.triggers.gate.firing import Firing
from otel_flight.triggers.gate.gate import BACKOFF, BUDGET, COOLDOWN, JOINED, OPENED, Gate, Verdict


class Bench:
    """A gate with a clock of our own; incidents are numbered."""

    def __init__(self, cooldown_seconds: float = 60, incidents_per_hour: int = 3) -> None:
        self.clock = FakeClock()
        self._numbers = itertools.count(1)
        self.while_deciding: Callable[[], object] = lambda: None
        settings = Settings(
            cooldown_seconds=cooldown_seconds, incidents_per_hour=incidents_per_hour
        )
        self.gate = Gate(settings, self.clock, self._new_id)

    def _new_id(self) -> str:
        self.while_deciding()
        return str(next(self._numbers))

    def fire(self, cause: str = "a") -> Verdict:
        """Ask the gate about a firing."""
        verdict = self.gate.decide(firing(cause))
        assert verdict is not None
        return verdict

    def incident(self, cause: str = "a") -> str:
        """Return what becomes of a firing, closing the incident if it opened one."""
        verdict = self.fire(cause)
        if verdict.incident_id is not None:
            self.gate.closed(verdict.incident_id)
        return verdict.outcome


def firing(cause: str = "a") -> Firing:
    """Return a firing of some cause."""
    return Firing("t", "reason", "subject", ("t", cause), 0)


def test_the_first_firing_opens_an_incident_and_the_others_join() -> None:
    """Whatever their cause, until it is closed; joining is no error and has its id."""
    bench = Bench()

    assert bench.fire("a") == Verdict(OPENED, "1")
    assert [bench.fire(cause) for cause in "aab"] == [Verdict(JOINED, "1")] * 3
    assert bench.gate.counts() == {("t", OPENED): 1, ("t", JOINED): 3}


def test_a_cause_cools_down_by_itself() -> None:
    """The same cause waits, another one need not."""
    bench = Bench()
    assert bench.incident("a") == OPENED
    bench.clock.advance(59)

    assert bench.fire("a") == Verdict(COOLDOWN, None)
    assert bench.incident("b") == OPENED
    bench.clock.advance(1)
    assert bench.incident("a") == OPENED


def test_a_cause_that_joined_cools_down_too() -> None:
    """It is in an incident already."""
    bench = Bench()
    bench.fire("a")
    bench.clock.advance(10)
    bench.fire("b")
    bench.gate.closed("1")

    assert bench.incident("b") == COOLDOWN
    bench.clock.advance(60)
    assert bench.incident("b") == OPENED


def test_a_cause_that_never_stops_makes_an_incident_for_every_cooldown() -> None:
    """A refusal does not begin the cooldown anew."""
    bench = Bench(incidents_per_hour=100)
    outcomes = []
    for _ in range(600):
        outcomes.append(bench.incident())
        bench.clock.advance(1)

    assert outcomes.count(OPENED) == 10


def test_without_a_cooldown_every_firing_may_open_one() -> None:
    """As long as the budget lasts."""
    bench = Bench(cooldown_seconds=0)

    assert [bench.incident() for _ in range(4)] == [OPENED, OPENED, OPENED, BUDGET]


def test_the_budget_is_for_any_hour() -> None:
    """It comes back an hour after each incident, not at full hours."""
    bench = Bench()
    for cause in "abc":
        assert bench.incident(cause) == OPENED
        bench.clock.advance(600)

    assert bench.fire("d") == Verdict(BUDGET, None)
    bench.clock.advance(3600 - 1800)
    assert bench.incident("d") == OPENED
    assert bench.incident("e") == BUDGET
    bench.clock.advance(600)
    assert bench.incident("e") == OPENED
    assert bench.gate.counts() == {("t", OPENED): 5, ("t", BUDGET): 2}


def test_the_budget_of_what_could_not_be_written_is_given_back() -> None:
    """A full disk does not use up the hour; nor does another incident lose its part of it."""
    bench = Bench(incidents_per_hour=2)
    bench.gate.give_back("never opened", 0)
    assert bench.incident("a") == OPENED
    assert bench.incident("b") == OPENED
    bench.gate.give_back("1", 0)

    bench.clock.advance(3599)
    assert bench.incident("c") == OPENED
    assert bench.incident("d") == BUDGET
    bench.clock.advance(1)
    assert bench.incident("d") == OPENED


def test_after_an_incident_that_could_not_be_kept_none_opens_for_a_while() -> None:
    """Each one would do the work of a whole window, only to meet the same full disk."""
    bench = Bench()
    assert bench.incident("a") == OPENED
    bench.gate.give_back("1", 10)

    assert bench.fire("b") == Verdict(BACKOFF, None)
    bench.clock.advance(10)
    assert bench.incident("b") == OPENED
    assert bench.gate.counts()["t", BACKOFF] == 1


def test_only_the_open_incident_can_be_closed() -> None:
    """Word of an older one that comes late closes nothing."""
    bench = Bench()
    bench.fire("a")
    bench.gate.closed("another")

    assert bench.fire("b") == Verdict(JOINED, "1")


@pytest.mark.parametrize("seconds", [7200, -7200])
def test_a_wall_clock_that_is_set_disturbs_nothing(seconds: float) -> None:
    """Cooldown and budget go by the monotonic clock."""
    bench = Bench()
    bench.incident("a")
    bench.clock.set_wall(seconds)

    assert bench.incident("a") == COOLDOWN
    bench.clock.advance(60)
    assert bench.incident("a") == OPENED


def test_very_many_causes_are_not_all_remembered() -> None:
    """The one that opened an incident longest ago is forgotten first."""
    bench = Bench(incidents_per_hour=3600, cooldown_seconds=3600)
    for number in range(1100):
        assert bench.incident(str(number)) == OPENED

    assert len(bench.gate._last_opened) == 1024
    assert bench.incident("1099") == COOLDOWN
    assert bench.incident("0") == OPENED


def test_a_finalizer_that_fires_within_a_decision_does_not_wait_for_long() -> None:
    """It is told that the gate is busy, and may ask later; counting is possible all the same."""
    bench = Bench()
    inside: list[object] = []
    bench.while_deciding = lambda: inside.extend(
        [bench.gate.decide(firing("b")), bench.gate.counts()]
    )

    assert bench.fire("a") == Verdict(OPENED, "1")
    assert inside == [None, {}]


def test_threads_that_fire_at_once_open_one_incident() -> None:
    """All the others join it."""
    bench = Bench()
    start = threading.Barrier(8)
    verdicts: list[Verdict | None] = []

    def work(index: int) -> None:
        start.wait()
        verdicts.extend(bench.gate.decide(firing(f"{index} {number}")) for number in range(50))

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    outcomes = [verdict.outcome for verdict in verdicts if verdict is not None]
    assert outcomes.count(OPENED) == 1
    assert outcomes.count(JOINED) == len(outcomes) - 1
    assert sum(bench.gate.counts().values()) == len(outcomes)
