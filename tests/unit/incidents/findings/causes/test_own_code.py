"""A function that computed, or waited, while nothing else says what took the time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import Span

from otel_flight.incidents.findings.causes.own_code import find_own_code
from otel_flight.incidents.findings.causes.own_wait import find_own_wait
from otel_flight.incidents.findings.failures.cancelled_from_above import find_cancelled_from_above
from otel_flight.incidents.manifest import Finding
from otel_flight.names import attributes as names
from tests.support.incidents.findings import evidence_of
from tests.support.incidents.incident_builder import IncidentBuilder
from tests.unit.incidents.explanations.test_inferred_spans import place, sample
from tests.unit.incidents.findings.failures.test_thread_died import die


@pytest.fixture
def builder(own_environment: Path) -> Iterator[IncidentBuilder]:
    """Return a builder."""
    with IncidentBuilder(own_environment) as builder:
        yield builder


def found(builder: IncidentBuilder, slow: Span) -> list[Finding]:
    """Return what both rules say."""
    evidence = evidence_of(builder.incident(builder.slow(slow, 1_000), closed_ms=5_000))
    return [each for each in (find_own_code(evidence), find_own_wait(evidence)) if each is not None]


def test_the_function_is_named_that_computes(builder: IncidentBuilder) -> None:
    """With its line and who called it."""
    slow = builder.request("GET /report", 0, 1_000)
    for moment in range(200, 1_000, 100):
        sample(builder, slow, moment, place("report", line=3), place("render", line=9))

    (finding,) = found(builder, slow)

    assert finding.summary == (
        "`GET /report` spent 800ms of its 1s (80%) in `render (shop/app.py:9)`, called by `report`"
    )
    assert finding.explained_share == pytest.approx(0.8)
    assert finding.evidence[names.FUNCTION] == "render"
    assert finding.evidence["samples"] == 8


def test_an_import_is_called_that(builder: IncidentBuilder) -> None:
    """By the function that imports the module, also further in."""
    slow = builder.request("GET /report", 0, 1_000)
    module = compile("pass", "/srv/shop/plugin.py", "exec"), 1
    for moment in range(100, 1_000, 100):
        load = [place("load", file="/srv/shop/plugin.py")] if moment < 200 else []
        sample(builder, slow, moment, place("view"), module, *load)

    (finding,) = found(builder, slow)

    assert finding.summary.endswith("in `<module> (shop/plugin.py:1)`, imported by `view`")


def test_what_an_import_calls_is_told_with_it(builder: IncidentBuilder) -> None:
    """A module may load what is large."""
    slow = builder.request("GET /report", 0, 1_000)
    module = compile("pass", "/srv/shop/plugin.py", "exec"), 1
    for moment in range(100, 1_000, 100):
        sample(builder, slow, moment, place("view"), module, place("load", line=4))

    (finding,) = found(builder, slow)

    assert finding.summary.endswith(
        "in `load (shop/app.py:4)`, called by `<module>`, imported by `view`"
    )


def test_the_native_call_is_named(builder: IncidentBuilder) -> None:
    """As the program has it."""
    slow = builder.request("GET /report", 0, 1_000)
    for moment in range(200, 1_000, 100):
        builder.event(
            "stacks",
            "running",
            moment,
            span=slow,
            attributes={names.CALL: "json.dumps"},
            places=[place("render")],
        )

    (finding,) = found(builder, slow)

    assert finding.summary.endswith("in `render (shop/app.py:1)`, in the native call `json.dumps`")


def test_the_librarys_function_is_named_that_was_called(builder: IncidentBuilder) -> None:
    """Of a wait for a file, a pipe, the network; `sleep` and `Queue.get` say nothing more."""
    slow = builder.request("GET /report", 0, 1_000)
    library = "/x/site-packages/shipping/client.py"
    for moment in range(100, 1_000, 100):
        builder.event(
            "stacks",
            "waiting",
            moment,
            span=slow,
            attributes={
                names.WAIT_KIND: "pipe",
                names.WAIT_ON: "write to standard output",
                names.CALL: "stream.write",
            },
            places=[
                place("report"),
                place("ask", line=8, file=library),
                place("send", file=library),
            ],
        )

    (finding,) = found(builder, slow)

    assert finding.summary.endswith(
        "for a pipe (`write to standard output`) in `report (shop/app.py:1)`, in its call of "
        "`ask (shipping/client.py:8)`, in the native call `stream.write`"
    )


def test_where_the_loop_was_is_told_of_a_wait_for_a_turn(builder: IncidentBuilder) -> None:
    """Whoever waits for a turn can do nothing about it."""
    slow = builder.request("GET /poll", 0, 1_000)
    for moment in range(100, 1_000, 100):
        attributes = {
            names.WAIT_KIND: "turn of the event loop",
            names.WAIT_SHARERS: ["crunch (shop/jobs.py:7)"],
        }
        builder.event(
            "stacks", "waiting", moment, span=slow, attributes=attributes, places=[place("poll")]
        )

    (finding,) = found(builder, slow)

    assert finding.summary.endswith(
        "for a turn of the event loop in `poll (shop/app.py:1)`; meanwhile the loop was in "
        "`crunch (shop/jobs.py:7)`"
    )


def test_the_time_limit_and_who_shares_it_are_told(builder: IncidentBuilder) -> None:
    """As far as the samples have them."""
    slow = builder.request("POST /sign-up", 0, 1_000)
    for moment in range(100, 1_000, 100):
        attributes = {
            names.WAIT_KIND: "queue",
            names.WAIT_ON: "Queue",
            names.WAIT_LIMIT: 2_000_000_000,
            names.WAIT_SHARERS: ["send (shop/mail.py:7)"],
        }
        builder.event(
            "stacks", "waiting", moment, span=slow, attributes=attributes, places=[place("sign_up")]
        )

    (finding,) = found(builder, slow)

    assert finding.summary.endswith(
        "for a queue (`Queue`) in `sign_up (shop/app.py:1)`; its time limit was 2s; meanwhile who "
        "has it, too, was in `send (shop/mail.py:7)`"
    )


def test_a_sleep_between_attempts_is_called_that(builder: IncidentBuilder) -> None:
    """By the package whose decorator sleeps: of the function that failed there is no frame then."""
    slow = builder.request("GET /report", 0, 1_000)
    nap = place("sleep", file="/x/site-packages/tenacity/nap.py")
    for moment in range(200, 1_000, 100):
        sample(builder, slow, moment, place("ask"), nap, wait="sleep")

    (finding,) = found(builder, slow)

    assert finding.summary.endswith("in `ask (shop/app.py:1)`, before `tenacity` tries again")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("sleep", "slept for 800ms of its 1s (80%)"),
        ("network", "waited 800ms of its 1s (80%) for the network (`it`)"),
        ("event", "waited 800ms of its 1s (80%) for an event (`it`)"),
        ("queue", "waited 800ms of its 1s (80%) for a queue (`it`)"),
    ],
)
def test_what_is_waited_for_is_named(builder: IncidentBuilder, kind: str, words: str) -> None:
    """In a word, and what exactly as far as that is known."""
    slow = builder.request("GET /report", 0, 1_000)
    for moment in range(200, 1_000, 100):
        sample(builder, slow, moment, place("ask"), wait=kind)

    (finding,) = found(builder, slow)

    assert finding.summary == f"`GET /report` {words} in `ask (shop/app.py:1)`"


@pytest.mark.parametrize("kind", ["lock", "semaphore", "connection pool", "thread pool"])
def test_silent_about_what_other_rules_know_more_of(builder: IncidentBuilder, kind: str) -> None:
    """They say who has it."""
    slow = builder.request("GET /report", 0, 1_000)
    for moment in range(200, 1_000, 100):
        sample(builder, slow, moment, place("ask"), wait=kind)

    assert found(builder, slow) == []


def test_silent_about_one_sample_and_about_little_time(builder: IncidentBuilder) -> None:
    """What was seen once may have been over at once."""
    once = builder.request("GET /once", 0, 100)
    sample(builder, once, 50, place("render"))
    little = builder.request("GET /little", 0, 1_000)
    for moment in (300, 320, 340, 360):
        sample(builder, little, moment, place("render"))

    assert found(builder, once) == []
    assert found(builder, little) == []


def test_the_longer_of_two_is_named(builder: IncidentBuilder) -> None:
    """What the request computed, where that took longer than each of its waits."""
    slow = builder.request("GET /report", 0, 1_000)
    for moment in (200, 300, 400):
        sample(builder, slow, moment, place("ask"), wait="sleep")
    for moment in (500, 600, 700, 800):
        sample(builder, slow, moment, place("render"))

    code, wait = found(builder, slow)

    assert code.explained_share == pytest.approx(0.4)
    assert wait.explained_share == pytest.approx(0.3)


def under_limit(builder: IncidentBuilder, slow: Span, at_ms: float, end_ms: float) -> None:
    """Record a sample of work that has a time limit."""
    builder.event(
        "stacks",
        "waiting",
        at_ms,
        span=slow,
        attributes={
            names.WAIT_KIND: "sleep",
            names.LIMIT_PLACE: "view (shop/app.py:3)",
            names.LIMIT_LEFT: int((end_ms - at_ms) * 1e6),
        },
        places=[place("view", line=4), place("ask_price", line=9)],
        thread_id=7,
    )


def test_the_limit_that_ended_a_wait_is_told(builder: IncidentBuilder) -> None:
    """By the function that set it, and when it was over; also where nothing failed."""
    slow = builder.request("GET /quote", 0, 1_000)
    for moment in range(100, 900, 100):
        under_limit(builder, slow, moment, 900)
    sample(builder, slow, 950, place("view", line=6))

    (finding,) = found(builder, slow)
    evidence = evidence_of(builder.incident(builder.slow(slow, 1_000), closed_ms=5_000))
    cancelled = find_cancelled_from_above(evidence)

    assert finding.summary.endswith(
        "in `ask_price (shop/app.py:9)`, called by `view`, until the time limit set in "
        "`view (shop/app.py:3)` was over, 900ms after it had begun"
    )
    assert cancelled is not None
    assert cancelled.summary == (
        "`GET /quote` ran into a time limit after 900ms, set in `view (shop/app.py:3)`, in "
        "`ask_price (shop/app.py:9)`"
    )


@pytest.mark.parametrize("end_ms", [1_200, 600])
def test_a_limit_that_was_not_reached_ended_nothing(
    builder: IncidentBuilder, end_ms: float
) -> None:
    """The work ended before, or the limit was over long before the work was last seen under it."""
    slow = builder.request("GET /quote", 0, 1_000)
    for moment in range(100, 900, 100):
        under_limit(builder, slow, moment, end_ms)

    (finding,) = found(builder, slow)

    assert finding.summary.endswith("in `ask_price (shop/app.py:9)`, called by `view`")


def waiting_for(builder: IncidentBuilder, slow: Span, at_ms: float, kind: str, what: str) -> None:
    """Record a sample of a wait for one of many."""
    attributes = {names.WAIT_KIND: kind, names.WAIT_ON: what}
    builder.event(
        "stacks", "waiting", at_ms, span=slow, attributes=attributes, places=[place("ask_all")]
    )


def test_waits_for_many_peers_count_together(builder: IncidentBuilder) -> None:
    """None of them took much by itself."""
    slow = builder.request("GET /shards", 0, 1_000)
    for number in range(1, 10):
        waiting_for(builder, slow, number * 100, "network", f"answer of shard-{number}")

    (finding,) = found(builder, slow)

    assert finding.summary == (
        "`GET /shards` waited 900ms of its 1s (90%) for the network (`answer of shard-1, and 8 "
        "more`) in `ask_all (shop/app.py:1)`"
    )


def test_waits_for_many_locks_do_not(builder: IncidentBuilder) -> None:
    """Each has another holder."""
    slow = builder.request("GET /shards", 0, 1_000)
    for number in range(1, 10):
        waiting_for(builder, slow, number * 100, "lock", f"lock_{number}")

    assert found(builder, slow) == []


@pytest.mark.parametrize(
    ("wait", "words"), [("", ", as 2 other requests did"), ("file", "waited there, too")]
)
def test_others_that_did_the_same_are_counted(
    builder: IncidentBuilder, wait: str, words: str
) -> None:
    """As all do that miss a cache at the same time; who did something else does not count."""
    slow = builder.request("GET /ranking", 0, 1_000)
    same = [builder.request("GET /ranking", 10, 1_500) for _ in range(2)]
    other = builder.request("GET /other", 10, 1_500)
    for moment in range(100, 1_000, 100):
        for each in (slow, *same):
            sample(builder, each, moment, place("rank_all"), wait=wait)
        sample(builder, other, moment, place("rank_one"), wait=wait)

    (finding,) = found(builder, slow)

    assert finding.summary.endswith(words)
    assert finding.evidence["other_requests"] == 2


def test_a_task_that_died_with_it_is_told(builder: IncidentBuilder) -> None:
    """Whoever was to set it does not any more."""
    slow = builder.request("GET /shipped", 0, 1_000)
    for at_ms in range(100, 1_000, 100):
        attributes = {names.WAIT_KIND: "future", names.WAIT_DEATH: "KeyError in ship (shop/a.py:7)"}
        places = [place("shipped")]
        builder.event("stacks", "waiting", at_ms, span=slow, attributes=attributes, places=places)

    (finding,) = found(builder, slow)

    assert finding.summary.endswith("; a task that had it died of `KeyError in ship (shop/a.py:7)`")


@pytest.mark.parametrize(
    ("wait", "is_told"), [("event", True), ("queue", True), ("sleep", False), ("network", False)]
)
def test_a_thread_that_died_before_is_told(
    builder: IncidentBuilder, wait: str, is_told: bool
) -> None:
    """Where somebody else ends the wait; a sleep ends by itself."""
    slow = builder.request("GET /feed", 0, 1_000)
    for at_ms in range(100, 1_000, 100):
        sample(builder, slow, at_ms, place("wait_for_feed"), wait=wait)
    die(builder, 50, "reader")

    (finding,) = found(builder, slow)

    words = (
        "; the thread `reader` had died 950ms before its end of RuntimeError: no order in "
        "`consume (shop/jobs.py:12)`"
    )
    assert finding.summary.endswith(words) is is_told


def test_a_thread_that_was_not_needed_is_not(builder: IncidentBuilder) -> None:
    """Requests like this have gone well without it, or somebody else has what is waited for."""
    die(builder, 50, "reader")
    builder.request("GET /feed", 100, 150)
    slow = builder.request("GET /feed", 1_000, 2_000)
    for at_ms in range(1_100, 2_000, 100):
        sample(builder, slow, at_ms, place("wait_for_feed"), wait="event")

    (finding,) = found(builder, slow)

    assert "died" not in finding.summary
