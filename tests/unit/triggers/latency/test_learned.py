"""What is slow for a root is learned from those of its kind."""

from __future__ import annotations

import pytest

from otel_flight.testing import FakeClock
from otel_flight.triggers.latency.learned import LEAST_VALUES, MOST_ROUTES, LearnedLimits

MILLISECOND = 1_000_000


class Service:
    """Limits that learn, tick by tick."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.limits = LearnedLimits(self.clock)

    def serve(self, name: str, milliseconds: float, times: int = 1) -> None:
        """Let roots of a name end, one each tick."""
        for _ in range(times):
            self.limits.note((name, int(milliseconds * MILLISECOND)))
            self.clock.advance(0.1)
            self.limits.learn()

    def limit(self, name: str) -> float | None:
        """Return the limit of a name, in milliseconds."""
        limit_ns = self.limits.limit_ns(name)
        return None if limit_ns is None else limit_ns / MILLISECOND


def test_nothing_is_known_of_a_name_at_first() -> None:
    """Not before enough were seen."""
    service = Service()

    service.serve("GET /", 40, LEAST_VALUES - 1)
    assert service.limit("GET /") is None
    assert service.limits.usual_ns("GET /") == 0

    service.serve("GET /", 40)
    assert service.limit("GET /") == 500
    assert 40 <= service.limits.usual_ns("GET /") / MILLISECOND <= 42


def test_each_kind_of_root_has_its_own() -> None:
    """A fast one may take the least that is slow at all, a slow one some times of what it takes."""
    service = Service()
    service.serve("GET /item", 40, 100)
    service.serve("GET /report", 8000, 100)

    assert service.limit("GET /item") == 500
    assert 24_000 <= (service.limit("GET /report") or 0) <= 26_000
    assert service.limit("GET /other") is None


@pytest.mark.parametrize("name", ["GET /user/1", "GET /user/999999", "GET /user/{id}"])
def test_ids_in_names_do_not_matter(name: str) -> None:
    """They are one kind."""
    service = Service()
    for number in range(100):
        service.serve(f"GET /user/{number}", 400)

    assert 1200 <= (service.limit(name) or 0) <= 1300


def test_what_happens_now_and_then_is_normal() -> None:
    """Of a cold cache, once in two hundred requests, the second time is no incident."""
    service = Service()
    for _ in range(20):
        service.serve("GET /", 20, 199)
        service.serve("GET /", 2000)

    assert 4000 <= (service.limit("GET /") or 0) <= 4300


def test_what_is_wrong_for_a_minute_stays_wrong() -> None:
    """Each second hour, for a part of the requests that would make it normal."""
    service = Service()
    for _ in range(3):
        service.serve("GET /", 40, 2000)
        service.serve("GET /", 900, 60)

    assert service.limit("GET /") == 500


def test_what_stays_becomes_normal() -> None:
    """After a quarter of an hour."""
    service = Service()
    service.serve("GET /", 40, 2000)
    service.serve("GET /", 900, 8900)
    assert service.limit("GET /") == 500

    service.serve("GET /", 900, 3000)

    assert 2700 <= (service.limit("GET /") or 0) <= 2900


def test_names_are_bounded() -> None:
    """Those that come later have none, and the memory of raw names is bounded, too."""
    service = Service()
    letters = [f"GET /{chr(97 + one)}{chr(97 + two)}" for one in range(26) for two in range(26)]
    for name in letters:
        service.serve(name, 40, LEAST_VALUES)
    for number in range(10_000):
        service.limits.note((f"GET /aa?{number}", MILLISECOND))
    service.limits.learn()

    known = [name for name in letters if service.limit(name) is not None]
    assert known == letters[:MOST_ROUTES]
    assert len(service.limits.knowledge()) == MOST_ROUTES


def test_a_burst_is_bounded() -> None:
    """Of more than are learned in a tick the newest are."""
    service = Service()
    for number in range(5000):
        service.limits.note(("GET /", number * MILLISECOND))

    service.limits.learn()

    assert service.limits.values == 1024
    assert service.limits.knowledge()["GET /"].values == 1024


def test_what_was_known_is_taken_over() -> None:
    """Another process goes on from it, also for a name that it has seen itself."""
    before = Service()
    before.serve("GET /report", 8000, 100)
    before.serve("GET /item", 40, 100)
    after = Service()
    after.serve("GET /report", 9000, 3)

    after.limits.take_over(before.limits.knowledge())

    assert after.limit("GET /item") == 500
    assert after.limit("GET /report") == before.limit("GET /report")


def test_what_is_kept_is_not_what_goes_on() -> None:
    """Another thread writes it down meanwhile."""
    service = Service()
    service.serve("GET /", 40, 30)
    service.serve("GET /rare", 40, LEAST_VALUES - 1)

    knowledge = service.limits.knowledge()
    service.serve("GET /", 40)

    assert list(knowledge) == ["GET /"]
    assert knowledge["GET /"].values == 30
