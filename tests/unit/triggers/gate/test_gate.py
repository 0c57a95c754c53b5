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
from otel_flight.triggers.gate.refusals import Refusals
from otel_flight.triggers.gate.severity import Severity


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

    def fire(self, cause: str = "a", severity: Severity = Severity.OTHER) -> Verdict:
        """Ask the gate about a firing."""
        verdict = self.gate.decide(firing(cause, severity))
        assert verdict is not None
        return verdict

    def incident(self, cause: str = "a", severity: Severity = Severity.OTHER) -> str:
        """Return what becomes of a firing, closing the incident if it opened one."""
        verdict = self.fire(cause, severity)
        if verdict.incident_id is not None:
            self.gate.closed(verdict.incident_id)
        return verdict.outcome

    def opened(self, hours: float, every_seconds: float, severity: Severity) -> list[float]:
        """Let one cause fire again and again; return after how many hours it opened one."""
        found = []
        for number in range(int(hours * 3600 / every_seconds)):
            if self.incident(severity=severity) == OPENED:
                found.append(round(number * every_seconds / 3600, 2))
            self.clock.advance(every_seconds)
        return found


def firing(cause: str = "a", severity: Severity = Severity.OTHER) -> Firing:
    """Return a firing of some cause."""
    return Firing("t", "reason", cause, ("t", cause), 0, severity=severity)


def test_the_first_firing_opens_an_incident_and_the_others_join() -> None:
    """Whatever their cause, until it is closed; joining is no error and has its id."""
    bench = Bench()

    assert bench.fire("a") == Verdict(OPENED, "1")
    assert [bench.fire(cause) for cause in "aab"] == [Verdict(JOINED, "1")] * 3
    assert bench.gate.counts() == {("t", OPENED): 1, ("t", JOINED): 3}


def test_a_cause_cools_down_by_itself() -> None:
    """The same cause waits, another one need not."""
    bench = Bench(incidents_per_hour=100)
    assert bench.incident("a") == OPENED
    bench.clock.advance(59)

    assert bench.fire("a") == Verdict(COOLDOWN, None)
    assert bench.incident("b") == OPENED
    bench.clock.advance(1)
    assert bench.incident("a") == OPENED
    bench.clock.advance(61)
    assert bench.incident("a") == COOLDOWN, "it has doubled"


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


def test_a_cause_that_never_stops_makes_fewer_and_fewer_incidents() -> None:
    """Its cooldown doubles up to an hour; a refusal does not begin it anew."""
    bench = Bench(incidents_per_hour=100)

    opened = bench.opened(hours=5, every_seconds=30, severity=Severity.OTHER)

    minutes = [round(hours * 60) for hours in opened]
    assert minutes == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]


def test_a_cause_that_was_quiet_begins_anew() -> None:
    """Nothing of it for twice its cooldown: what comes then is another time."""
    bench = Bench(incidents_per_hour=100)
    bench.opened(hours=0.5, every_seconds=30, severity=Severity.OTHER)
    bench.clock.advance(2 * 960)

    assert bench.incident() == OPENED
    bench.clock.advance(60)
    assert bench.incident() == OPENED


def test_a_cause_that_joins_once_more_is_told_once() -> None:
    """Its cooldown is the same, however often it fires while the incident is open."""
    bench = Bench()
    for _ in range(20):
        bench.fire()
    bench.gate.closed("1")
    bench.clock.advance(60)

    assert bench.incident() == OPENED


def test_what_is_survived_each_hour_is_told_three_times_a_day() -> None:
    """A service that is away for a moment now and then, and asked again, is no news."""
    bench = Bench(incidents_per_hour=12)

    assert bench.opened(hours=24, every_seconds=3600, severity=Severity.SURVIVED) == [0, 4, 12]


def test_without_a_cooldown_every_firing_may_open_one() -> None:
    """As long as the budget lasts."""
    bench = Bench(cooldown_seconds=0, incidents_per_hour=1)

    assert [bench.incident() for _ in range(2)] == [OPENED, BUDGET]


def test_the_budget_fills_up_within_an_hour() -> None:
    """It is a bucket: a token comes back every twenty minutes here, and it never runs over."""
    bench = Bench(incidents_per_hour=3)
    assert [bench.incident(cause) for cause in "abcd"] == [OPENED, OPENED, OPENED, BUDGET]

    bench.clock.advance(20 * 60)
    assert [bench.incident(cause) for cause in "de"] == [OPENED, BUDGET]
    bench.clock.advance(100 * 3600)
    assert [bench.incident(cause) for cause in "abcd"] == [OPENED, OPENED, OPENED, BUDGET]


def test_half_of_the_budget_is_kept_for_what_is_new() -> None:
    """A cause that was heard of within the hour gets the other half."""
    bench = Bench(cooldown_seconds=0, incidents_per_hour=8)
    outcomes = [bench.incident("known") for _ in range(6)]

    assert outcomes == [*[OPENED] * 4, BUDGET, BUDGET]
    assert bench.incident("new") == OPENED


def test_half_of_the_budget_is_kept_for_requests_that_fail() -> None:
    """Known ones as well; the last quarter is for new ones."""
    bench = Bench(cooldown_seconds=0, incidents_per_hour=8)
    for _ in range(6):
        bench.incident("noise")

    outcomes = [bench.incident("known", Severity.FAILED) for _ in range(4)]
    assert outcomes == [OPENED, OPENED, BUDGET, BUDGET]
    assert bench.incident("noise 2") == BUDGET
    assert bench.incident("new", Severity.FAILED) == OPENED


def test_a_storm_of_noisy_causes_leaves_room_for_a_request_that_fails() -> None:
    """Forty causes, every minute for a day, and twenty new bugs in the midst of them."""
    bench = Bench(incidents_per_hour=12)
    noisy = [Severity.SLOW, Severity.OTHER, Severity.SURVIVED]
    outcomes = []
    for minute in range(24 * 60):
        for noise in range(40):
            bench.incident(f"noise {noise}", noisy[noise % 3])
        if minute % 70 == 5:
            outcomes.append(bench.incident(f"bug {minute}", Severity.FAILED))
        bench.clock.advance(60)

    assert outcomes == [OPENED] * 21


def test_what_is_survived_gets_a_quarter_of_the_budget() -> None:
    """However many causes it has."""
    bench = Bench(incidents_per_hour=12)

    outcomes = [bench.incident(str(number), Severity.SURVIVED) for number in range(12)]

    assert outcomes == [*[OPENED] * 3, *[BUDGET] * 9]


def test_an_incident_that_something_worse_joined_is_not_one_of_them() -> None:
    """What it has cost of that quarter is returned."""
    bench = Bench(incidents_per_hour=4)
    assert bench.fire("survived", Severity.SURVIVED).outcome == OPENED
    bench.fire("failed", Severity.FAILED)
    bench.gate.closed("1")

    assert bench.incident("another", Severity.SURVIVED) == OPENED
    assert bench.incident("one more", Severity.SURVIVED) == BUDGET


def test_the_budget_of_what_could_not_be_written_is_given_back() -> None:
    """A full disk does not use up the hour; once, and not of one that never was."""
    bench = Bench(incidents_per_hour=2)
    bench.gate.give_back("never opened", 0)
    assert [bench.incident(cause) for cause in "abc"] == [OPENED, OPENED, BUDGET]
    bench.gate.give_back("1", 0)
    bench.gate.give_back("1", 0)

    assert [bench.incident(cause) for cause in "de"] == [OPENED, BUDGET]


def test_the_next_incident_knows_what_was_refused() -> None:
    """How many firings of which causes since the one before."""
    bench = Bench()
    bench.incident("a")
    for _ in range(1240):
        bench.incident("a")
    opened = bench.fire("b")
    bench.gate.closed("2")

    assert opened.refused == Refusals(1240, {"reason a": 1240})
    assert bench.fire("c").refused is None


def test_very_many_refused_causes_are_counted_and_not_all_named() -> None:
    """A storm fills neither the memory nor the file."""
    bench = Bench(incidents_per_hour=1)
    for number in range(1000):
        bench.incident(str(number))
    bench.clock.advance(3600)
    refused = bench.fire("next").refused

    assert refused is not None
    assert (refused.firings, len(refused.causes)) == (999, 32)


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

    assert len(bench.gate._state.cooldowns.causes) == 1024
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
