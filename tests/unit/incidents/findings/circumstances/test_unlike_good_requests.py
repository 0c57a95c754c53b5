"""What bad requests have in common: planted differences, and the same without one."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from opentelemetry.sdk.trace import Span
from opentelemetry.trace import SpanKind

from otel_flight.incidents.findings.circumstances.unlike_good_requests import (
    find_unlike_good_requests,
)
from otel_flight.incidents.manifest import Finding
from tests.support.incidents.findings import evidence_of
from tests.support.incidents.incident_builder import IncidentBuilder, place

Attributes = dict[str, Any]


@pytest.fixture
def builder(own_environment: Path) -> Iterator[IncidentBuilder]:
    """Return a builder."""
    with IncidentBuilder(own_environment) as builder:
        yield builder


class Traffic:
    """Requests of one route, of which some are slow.

    Args:
        builder: where they are recorded.
        seed: of what is random about them.
    """

    def __init__(self, builder: IncidentBuilder, seed: int = 1) -> None:
        self._builder = builder
        self._random = random.Random(seed)
        self._now_ms = 0.0

    def ordinary(self) -> Attributes:
        """Return attributes as a request of any kind may have them."""
        chosen = self._random
        return {
            "tenant": chosen.choice(["acme", "bolt", "coil", "dune"]),
            "shard": chosen.randrange(4),
            "flag.new_cart": chosen.random() < 0.5,
            "service.version": chosen.choice(["1.4.0", "1.4.1"]),
            "server.address": chosen.choice(["db-1", "db-2"]),
            "user.id": chosen.randrange(10**9),
            "client.port": chosen.randrange(1024, 65536),
            "url.path": f"/cart/{chosen.randrange(10**6)}",
            "http.request.method": "GET",
        }

    def request(
        self,
        *,
        is_bad: bool,
        differs: Callable[[Attributes], None] | None = None,
        spans: tuple[str, ...] = ("SELECT cart", "GET price"),
        peer: str = "",
        error: str | None = None,
    ) -> Span:
        """Record one, and return it."""
        attributes = self.ordinary()
        if differs is not None:
            differs(attributes)
        length_ms = self._random.uniform(900, 1_200) if is_bad else self._random.uniform(20, 60)
        begin_ms = self._now_ms
        self._now_ms += length_ms
        builder = self._builder
        span = builder.open("GET /cart", begin_ms, kind=SpanKind.SERVER, attributes=attributes)
        for number, name in enumerate(spans):
            start_ms = begin_ms + number
            called = {
                "db.query.text": f"SELECT {self._random.randrange(10**6)}",
                "server.address": peer or self._random.choice(["db-1", "db-2"]),
            }
            builder.span(name, start_ms, start_ms + 1, span, attributes=called)
        return builder.end(span, self._now_ms, error=error)

    def found(self, last: Span, *, is_failed: bool = False) -> Finding | None:
        """Return what is said of the incident that a bad request made."""
        make = self._builder.failed if is_failed else self._builder.slow
        incident = self._builder.incident(make(last, self._now_ms), closed_ms=self._now_ms)
        return find_unlike_good_requests(evidence_of(incident))


def having(key: str, value: object) -> Callable[[Attributes], None]:
    """Return what gives a request an attribute."""
    return lambda attributes: attributes.update({key: value})


def without(key: str, value: object) -> Callable[[Attributes], None]:
    """Return what takes a value from a request that has it."""

    def change(attributes: Attributes) -> None:
        if attributes.get(key) == value:
            attributes[key] = "another"

    return change


PLANTED: Final = (
    ("tenant", "acme"),
    ("tenant", "a new one"),
    ("shard", 3),
    ("flag.new_cart", True),
    ("service.version", "1.4.2"),
    ("server.address", "db-2"),
    ("cache.hit", False),
    ("cloud.availability_zone", "eu-1c"),
)
"""Attributes that the slow requests have, and hardly a good one."""


@pytest.mark.parametrize(("key", "value"), PLANTED)
def test_an_attribute_that_separates_them_is_first(
    builder: IncidentBuilder, key: str, value: object
) -> None:
    """With the counts on both sides, among ids and ports that are different each time."""
    traffic = Traffic(builder)
    for _ in range(100):
        traffic.request(is_bad=False, differs=without(key, value))
    slow = [traffic.request(is_bad=True, differs=having(key, value)) for _ in range(7)]

    finding = traffic.found(slow[-1])

    assert finding is not None
    assert finding.summary == (
        f"all 7 slow `GET /cart` had `{key}={value}`; none of 100 good ones did"
    )
    assert (finding.evidence["bad_requests"], finding.evidence["good_requests"]) == (7, 100)


@pytest.mark.parametrize(
    ("of_good", "of_bad", "words"),
    [
        (("SELECT cart",), ("SELECT cart", "SELECT lock"), "made `SELECT lock`"),
        (("cache get", "SELECT cart"), ("SELECT cart",), "did not make `cache get`"),
        (("SELECT item",), ("SELECT item",) * 12, "made 12 times, not 1 at most, `SELECT item`"),
        (("ask db-1",), ("ask db-2",), "made `ask db-2`"),
    ],
)
def test_a_span_that_separates_them_is_first(
    builder: IncidentBuilder, of_good: tuple[str, ...], of_bad: tuple[str, ...], words: str
) -> None:
    """New, missing, or far more often."""
    traffic = Traffic(builder)
    for _ in range(100):
        traffic.request(is_bad=False, spans=of_good)
    slow = [traffic.request(is_bad=True, spans=of_bad) for _ in range(5)]

    finding = traffic.found(slow[-1])

    assert finding is not None
    assert finding.summary.startswith("all 5 slow `GET /cart`")
    assert words in finding.summary
    good = "all" if "did not make" in words else "none of"
    assert finding.summary.endswith(f"; {good} 100 good ones did")


def test_an_attribute_of_a_span_below_that_separates_them(builder: IncidentBuilder) -> None:
    """Whom they asked, say, while all make the same calls."""
    traffic = Traffic(builder)
    for _ in range(100):
        traffic.request(is_bad=False)
    slow = [traffic.request(is_bad=True, peer="db-3") for _ in range(5)]

    finding = traffic.found(slow[-1])

    assert finding is not None
    assert finding.summary == (
        "all 5 slow `GET /cart` made a span with `server.address=db-3 of GET price`; none of "
        "100 good ones did"
    )


def test_of_failures_too(builder: IncidentBuilder) -> None:
    """What came of them is no difference, and most is enough where chance cannot have made it."""
    traffic = Traffic(builder)
    for number in range(100):
        differs = having("tenant", "acme" if number == 50 else "bolt")
        traffic.request(is_bad=False, differs=differs)
    failed = []
    for number in range(8):
        tenant = having("tenant", "coil" if number == 3 else "acme")
        failed.append(traffic.request(is_bad=False, differs=tenant, error="no"))

    finding = traffic.found(failed[-1], is_failed=True)

    assert finding is not None
    assert finding.summary == (
        "7 of 8 failed `GET /cart` had `tenant=acme`; 1 of 100 good ones did"
    )


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("slow_ones", [1, 2, 7])
def test_silent_where_nothing_separates_them(
    builder: IncidentBuilder, seed: int, slow_ones: int
) -> None:
    """Not even of an id that each request has for itself alone."""
    traffic = Traffic(builder, seed)
    for _ in range(100):
        traffic.request(is_bad=False)
    slow = [traffic.request(is_bad=True) for _ in range(slow_ones)]

    assert traffic.found(slow[-1]) is None


def test_silent_with_fewer_than_five_good_ones(builder: IncidentBuilder) -> None:
    """They would have something in common by chance."""
    traffic = Traffic(builder)
    for _ in range(4):
        traffic.request(is_bad=False)
    slow = [traffic.request(is_bad=True, differs=having("tenant", "eve")) for _ in range(7)]

    assert traffic.found(slow[-1]) is None


def test_silent_about_a_snapshot(builder: IncidentBuilder) -> None:
    """Nothing fired: there is nothing to compare with."""
    builder.request("GET /cart", 0, 10)

    assert find_unlike_good_requests(evidence_of(builder.incident(closed_ms=100))) is None


def test_a_function_that_only_bad_ones_are_in(builder: IncidentBuilder) -> None:
    """Among requests that take half a second, those of three seconds go another way."""
    for number in range(14):
        is_bad = number >= 10
        begin_ms, length_ms = number * 4_000, 3_000 if is_bad else 500
        span = builder.request("GET /cart", begin_ms, begin_ms + length_ms)
        for moment in range(300, length_ms, 100):
            places = [place("cart", "/srv/shop/app.py", 3)]
            if is_bad:
                function = "render" if moment > 2_700 else "rebuild"  # the others may be in, too
                places.append(place(function, "/srv/shop/cart.py", 7))
            builder.event("stacks", "running", begin_ms + moment, span=span, places=places)
    incident = builder.incident(builder.slow(span, begin_ms + 3_000), closed_ms=60_000)

    finding = find_unlike_good_requests(evidence_of(incident))

    assert finding is not None
    assert finding.summary == (
        "all 4 slow `GET /cart` were seen in `rebuild (shop/cart.py)`; none of 10 good ones that "
        "were sampled were"
    )


def test_fast_requests_have_no_samples_to_compare_with(builder: IncidentBuilder) -> None:
    """That none of them was seen there says nothing."""
    for number in range(14):
        is_bad = number >= 10
        begin_ms, length_ms = number * 4_000, 3_000 if is_bad else 50
        span = builder.request("GET /cart", begin_ms, begin_ms + length_ms)
        if is_bad:
            places = [place("rebuild", "/srv/shop/cart.py", 7)]
            builder.event("stacks", "running", begin_ms + 300, span=span, places=places)
    incident = builder.incident(builder.slow(span, begin_ms + 3_000), closed_ms=60_000)

    assert find_unlike_good_requests(evidence_of(incident)) is None
