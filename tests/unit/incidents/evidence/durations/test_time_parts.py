"""What a slow span's time consists of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import Span
from opentelemetry.trace import SpanKind

from otel_flight.incidents.evidence.durations.own_time import parts_of_slow
from otel_flight.incidents.evidence.durations.time_parts import Doing, Part, time_parts
from otel_flight.names import attributes as names
from otel_flight.names import process_attributes as vitals
from tests.support.incidents.findings import evidence_of
from tests.support.incidents.incident_builder import IncidentBuilder
from tests.unit.incidents.explanations.test_inferred_spans import place, sample

MS = 1_000_000


@pytest.fixture
def builder(own_environment: Path) -> Iterator[IncidentBuilder]:
    """Return a builder."""
    with IncidentBuilder(own_environment) as builder:
        yield builder


def parts_of(builder: IncidentBuilder, span: Span, end_ms: float = 1_000) -> list[Part]:
    """Return the parts of a slow request's time."""
    evidence = evidence_of(builder.incident(builder.slow(span, end_ms), closed_ms=5_000))
    assert evidence.slow is not None
    return time_parts(evidence, evidence.slow)


def short(parts: list[Part]) -> list[tuple[Doing, str, float]]:
    """Return parts with their milliseconds, without their samples."""
    return [(part.doing, part.subject, part.duration_ns / MS) for part in parts]


def test_without_anything_below_all_is_unknown(builder: IncidentBuilder) -> None:
    """It is a part like the others, so that parts always add up."""
    slow = builder.request("GET /page", 0, 1_000)

    assert short(parts_of(builder, slow)) == [(Doing.UNKNOWN, "", 1_000)]


def test_each_moment_belongs_to_the_first_that_claims_it(builder: IncidentBuilder) -> None:
    """A pause, then a call to others, then a sample, then a span below."""
    slow = builder.open("GET /page", 0, kind=SpanKind.SERVER)
    around = builder.open("load", 0, slow)
    builder.span("SELECT", 100, 300, around, kind=SpanKind.CLIENT)
    for moment in (350, 450, 550):
        sample(builder, slow, moment, place("render"))
    builder.event("gc", "gc gen2", 250, 320)
    builder.end(around, 700)
    builder.end(slow, 1_000)

    assert short(parts_of(builder, slow)) == [
        (Doing.RUNNING, "", 300),
        (Doing.UNKNOWN, "", 300),
        (Doing.BELOW, "load", 200),
        (Doing.ELSEWHERE, "SELECT", 150),
        (Doing.PAUSED, "gc gen2", 50),
    ]


@pytest.mark.parametrize(
    ("file", "asleep_ms"),
    [
        ("/srv/venv/lib/python3.11/site-packages/urllib3/util/retry.py", 300),
        ("/srv/shop/app.py", 0),
    ],
)
def test_a_client_that_sleeps_asks_nobody(
    builder: IncidentBuilder, file: str, asleep_ms: int
) -> None:
    """Between two attempts within one call; what the application itself does is its call."""
    slow = builder.open("GET /page", 0, kind=SpanKind.SERVER)
    builder.span("GET", 0, 1_000, slow, kind=SpanKind.CLIENT)
    for moment in (350, 450, 550):
        sample(builder, slow, moment, place("ask"), place("sleep", file=file), wait="sleep")
    builder.end(slow, 1_000)

    elsewhere = (Doing.ELSEWHERE, "GET", 1_000 - asleep_ms)
    asleep = [(Doing.WAITING, "sleep", 300)] if asleep_ms else []
    assert short(parts_of(builder, slow)) == [elsewhere, *asleep]


def test_a_thread_that_had_no_cpu_did_not_run(builder: IncidentBuilder) -> None:
    """So much of what a sample stands for is not the function's."""
    slow = builder.request("GET /page", 0, 1_000)
    for moment in (300, 400, 500, 600):
        builder.event(
            "stacks",
            "running",
            moment,
            span=slow,
            attributes={vitals.RUN_QUEUE: 60 * MS},
            places=[place("render")],
        )

    assert (Doing.QUEUED, "", 240) in short(parts_of(builder, slow))
    assert (Doing.RUNNING, "", 160) in short(parts_of(builder, slow))


def test_the_path_goes_as_deep_as_most_samples_agree(builder: IncidentBuilder) -> None:
    """Where they part, the function is named that calls them all, at the line it is at mostly."""
    slow = builder.request("GET /page", 0, 1_000)
    for number, moment in enumerate(range(100, 900, 100)):
        inner = place(f"leaf_{number}", line=number + 1)
        sample(builder, slow, moment, place("page", line=5), place("render", line=9), inner)

    running = next(each for each in parts_of(builder, slow) if each.doing is Doing.RUNNING)

    assert [(frame.function, frame.line) for frame in running.path] == [("page", 5), ("render", 9)]


def test_a_native_call_is_named_that_most_samples_show(builder: IncidentBuilder) -> None:
    """One that few show is not."""
    slow = builder.request("GET /page", 0, 1_000)
    for moment, call in ((300, "json.dumps"), (400, "json.dumps"), (500, "len")):
        builder.event(
            "stacks",
            "running",
            moment,
            span=slow,
            attributes={names.CALL: call},
            places=[place("render")],
        )

    running = next(each for each in parts_of(builder, slow) if each.doing is Doing.RUNNING)

    assert running.call == "json.dumps"


_TIMES = st.tuples(st.integers(0, 1_000), st.integers(0, 1_000)).map(sorted)


@given(
    calls=st.lists(_TIMES, max_size=4),
    spans=st.lists(_TIMES, max_size=4),
    pauses=st.lists(_TIMES, max_size=3),
    samples=st.lists(st.integers(0, 1_000), max_size=12, unique=True).map(sorted),
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_parts_add_up(
    own_environment: Path,
    calls: list[list[int]],
    spans: list[list[int]],
    pauses: list[list[int]],
    samples: list[int],
) -> None:
    """Whatever lies over whatever else."""
    with IncidentBuilder(own_environment) as builder:
        slow = builder.open("GET /page", 0, kind=SpanKind.SERVER)
        for start, end in calls:
            builder.span("call", start, end, slow, kind=SpanKind.CLIENT)
        for start, end in spans:
            builder.span("step", start, end, slow)
        for start, end in pauses:
            builder.event("gc", "gc gen2", start, end)
        for moment in samples:
            sample(builder, slow, moment, place("render"), wait="sleep" if moment % 2 else "")
        builder.end(slow, 1_000)

        parts = parts_of(builder, slow)

    assert sum(part.duration_ns for part in parts) == 1_000 * MS
    assert all(part.duration_ns > 0 for part in parts)


def test_they_are_worked_out_once_for_each_cause(builder: IncidentBuilder) -> None:
    """All rules look at the same list, and those of another cause at another one."""
    first = builder.request("GET /page", 0, 1_000)
    second = builder.request("GET /cart", 0, 1_500)
    causes = [builder.slow(first, 1_000), builder.slow(second, 1_500)]
    evidence = evidence_of(builder.incident(*causes, closed_ms=5_000))
    other = evidence.about(evidence.manifest.causes[1])

    parts = evidence.once(parts_of_slow)

    assert evidence.once(parts_of_slow) is parts
    assert sum(part.duration_ns for part in parts) == 1_000 * MS
    assert sum(part.duration_ns for part in other.once(parts_of_slow)) == 1_500 * MS


@pytest.mark.parametrize(("gap_ms", "unknown_ms"), [(500, 0), (2_100, 2_000)])
def test_what_is_seen_again_went_on(builder: IncidentBuilder, gap_ms: int, unknown_ms: int) -> None:
    """Between two samples of the same wait, if not for long; how much of it nobody saw is known."""
    slow = builder.request("GET /page", 0, 300 + gap_ms)
    for moment in (50, 150, 250, 250 + gap_ms):
        sample(builder, slow, moment, place("load"), wait="network")

    parts = parts_of(builder, slow)

    assert dict(short_sums(parts)).get(Doing.UNKNOWN, 0) == unknown_ms
    assert parts[0].assumed_ns == (400 * MS if not unknown_ms else 0)


def test_what_nobody_could_look_at_may_have_been_over(builder: IncidentBuilder) -> None:
    """Threads that compete for the GIL keep the one that looks from it, and the one that waited."""
    slow = builder.request("GET /page", 0, 800)
    for moment in (50, 150, 250, 750):
        sample(builder, slow, moment, place("load"), wait="sleep")
    builder.event("descheduling", "GIL contended", 300, 700)

    assert dict(short_sums(parts_of(builder, slow)))[Doing.UNKNOWN] == 400


def test_another_function_was_entered_nobody_knows_when(builder: IncidentBuilder) -> None:
    """What was going on between two samples that differ is unknown."""
    slow = builder.request("GET /page", 0, 800)
    for moment, function in ((50, "load"), (150, "load"), (250, "load"), (750, "render")):
        sample(builder, slow, moment, place(function))

    assert dict(short_sums(parts_of(builder, slow)))[Doing.UNKNOWN] == 400


def test_an_old_request_is_looked_at_less_often(builder: IncidentBuilder) -> None:
    """Its samples are a twentieth of its age apart, and stand for all of that."""
    slow = builder.request("GET /page", 0, 20_000)
    moment = 50.0
    while moment < 20_000:
        sample(builder, slow, moment, place("load" if moment < 9_000 else "render"))
        moment += max(100, moment * 0.05 + 99)

    assert dict(short_sums(parts_of(builder, slow, 20_000))).get(Doing.UNKNOWN, 0) < 800


def short_sums(parts: list[Part]) -> list[tuple[Doing, float]]:
    """Return how many milliseconds were spent how."""
    return [(part.doing, part.duration_ns / MS) for part in parts]
