"""The request that a cause belongs to which is an event of the runtime."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_flight.incidents.manifest import Cause, Manifest
from otel_flight.names import attributes as names
from otel_flight.records.ids import span_text
from tests.support.incidents.incident_builder import IncidentBuilder

_STALL = {names.FUNCTION: "refresh", names.FILE: "/srv/shop/cache.py", names.LINE: 7}


@pytest.fixture
def builder(own_environment: Path) -> Iterator[IncidentBuilder]:
    """Return a builder."""
    with IncidentBuilder(own_environment) as builder:
        yield builder


def completed(builder: IncidentBuilder, cause: Cause) -> Manifest:
    """Return the manifest of an incident with that cause."""
    return builder.incident(cause, closed_ms=61_000).manifest


def test_a_collection_belongs_to_who_waited_longest(builder: IncidentBuilder) -> None:
    """Also on another thread, as it stops them all."""
    builder.request("GET /early", 0, 500)
    longest = builder.request("GET /whole", 300, 1_800)
    builder.request("GET /late", 1_200, 1_900)
    builder.event("gc", "gc pause", 400, 1_600)

    manifest = completed(builder, builder.cause("gc_pause", "gc pause", None, 1_600))

    (cause,) = manifest.causes
    assert "`GET /whole`" in manifest.findings[0].summary
    assert cause.span_id == span_text(longest.context.span_id)
    assert cause.attributes[names.INTERRUPTED] is True


def test_a_stall_belongs_to_nobody_on_another_thread(builder: IncidentBuilder) -> None:
    """An event loop holds up what it serves."""
    builder.request("GET /elsewhere", 0, 1_500)
    builder.event("event_loop", "event loop blocked", 200, 1_400, thread_id=7, attributes=_STALL)

    cause = builder.cause("loop_stall", "event loop blocked", None, 1_400)

    assert completed(builder, cause).causes == [cause]


def test_a_stall_belongs_to_nobody_who_hardly_noticed(builder: IncidentBuilder) -> None:
    """A connection that is open for a minute meets every stall."""
    builder.request("GET /stream", 0, 60_000)
    builder.event("gc", "gc pause", 200, 1_400)

    cause = builder.cause("gc_pause", "gc pause", None, 1_400)

    assert completed(builder, cause).causes == [cause]


def test_what_is_of_a_span_stays_with_it(builder: IncidentBuilder) -> None:
    """Whoever blocked the loop is known, and worth more than who had to wait."""
    own = builder.request("GET /own", 100, 1_500)
    builder.request("GET /other", 0, 1_900)
    builder.event("gc", "gc pause", 200, 1_400, span=own)

    cause = builder.cause("gc_pause", "gc pause", own, 1_400)

    assert completed(builder, cause).causes == [cause]
