"""All rules together: the best explanation comes first, and none stands in another's way."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_flight.assembly import ASSEMBLY, RULES
from otel_flight.ground.guard import Guard
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from tests.support.incidents.findings import evidence_of, findings_of
from tests.support.incidents.incident_builder import REMOTE_PARENT, IncidentBuilder


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[IncidentBuilder]:
    """A ring to record into."""
    with IncidentBuilder(tmp_path / "ring") as builder:
        yield builder


def test_slowness_is_explained_by_what_took_most_time(builder: IncidentBuilder) -> None:
    """A small error inside a slow request comes after the call that took the time."""
    root = builder.open("GET /report", 0, REMOTE_PARENT)
    builder.span("cache get", 1, 9, root, error=ConnectionError("refused"))
    builder.span("inventory", 30, 2430, root)
    builder.end(root, 2600)

    found = findings_of(builder.incident(builder.slow(root, 2600), closed_ms=4600))

    assert [finding.rule for finding in found] == ["slow_child", "error_origin"]


def test_a_failure_is_explained_by_its_origin_first(builder: IncidentBuilder) -> None:
    """Of a request that was slow and failed, with the failure first, the origin leads."""
    root = builder.open("GET /report", 0)
    builder.span("inventory", 30, 2430, root)
    builder.span("render", 2440, 2500, root, error=ValueError("no"))
    builder.end(root, 2600, error=ValueError("no"))
    causes = [builder.failed(root, 2600), builder.slow(root, 2600)]

    found = findings_of(builder.incident(*causes, closed_ms=4600))

    assert [finding.rule for finding in found] == ["error_origin", "slow_child"]


@pytest.mark.parametrize(
    ("calls_ms", "inventory_ms", "order"),
    [
        pytest.param(720, 1200, ["repeated_child", "slow_child"], id="more-than-half-as-much"),
        pytest.param(640, 1300, ["slow_child", "repeated_child"], id="less"),
    ],
)
def test_a_cause_comes_before_the_place_unless_it_explains_little(
    builder: IncidentBuilder, calls_ms: int, inventory_ms: int, order: list[str]
) -> None:
    """What made a request slow beats where it was slow, if it accounts for half as much time."""
    root = builder.open("GET /orders", 0)
    for number in range(20):
        start = 10 + number * calls_ms / 20
        builder.span("SELECT item", start, start + calls_ms / 20, root)
    builder.span("inventory", 800, 800 + inventory_ms, root)
    builder.end(root, 2100)

    found = findings_of(builder.incident(builder.slow(root, 2100), closed_ms=4100))

    assert [finding.rule for finding in found] == order


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_is_called_what_its_findings_say(rule: Rule) -> None:
    """The name of its module, its own and that of its findings agree."""
    module = sys.modules[rule.find.__module__]

    assert module.__name__.endswith(f".{rule.name}")
    assert rule.find.__name__ == f"find_{rule.name}"
    assert inspect.getsource(module).count("rule=") == inspect.getsource(module).count(
        "rule=RULE.name"
    )


def test_repeated_calls_are_not_blamed_on_the_span_around_them(builder: IncidentBuilder) -> None:
    """One query a row is found by exactly one rule."""
    root = builder.open("GET /orders", 0)
    handler = builder.open("list orders", 5, root)
    for number in range(50):
        builder.span("SELECT item", 10 + number * 40, 48 + number * 40, handler)
    builder.end(handler, 2050)
    builder.end(root, 2100)

    found = findings_of(builder.incident(builder.slow(root, 2100), closed_ms=4100))

    assert [finding.rule for finding in found] == ["repeated_child"]


def test_a_quiet_incident_has_no_findings(builder: IncidentBuilder) -> None:
    """A snapshot of a healthy service, and one of nothing at all, find nothing."""
    empty = builder.incident(closed_ms=0)
    builder.request("GET /items", 0, 5)
    healthy = builder.incident(closed_ms=100)

    assert findings_of(empty) == []
    assert findings_of(healthy) == []


def test_parents_in_a_circle_do_not_hang(builder: IncidentBuilder) -> None:
    """Span ids come from outside: a parent that is its own descendant ends every walk."""
    root = builder.open("GET /a", 0)
    child = builder.open("child", 0, root)
    root._parent = child.get_span_context()
    builder.end(child, 2000, error="no")
    builder.end(root, 2000, error="no")
    incident = builder.incident(builder.slow(root, 2000), closed_ms=4000)

    assert {finding.rule for finding in findings_of(incident)} <= {"error_origin", "slow_child"}


def test_a_failing_rule_does_not_take_the_others_with_it(builder: IncidentBuilder) -> None:
    """With a guard, a rule that raises is noted and the findings of the others remain."""

    def find_broken(evidence: Evidence) -> Finding | None:
        raise ZeroDivisionError

    broken = Rule(name="broken", kind=Kind.CAUSE, title="It is broken", find=find_broken)
    rulebook = dataclasses.replace(ASSEMBLY.rulebook, rules=(broken, *RULES))
    root = builder.open("GET /hang", 0)
    incident = builder.incident(builder.slow(root, 1000, trigger="slow_open_root"), closed_ms=3000)
    guard = Guard()

    found = rulebook.findings(rulebook.evidence(incident), guard)

    assert [finding.rule for finding in found] == ["unfinished"]
    assert [error.place for error in guard.errors()] == ["broken"]


def test_the_gil_is_given_up_regularly(builder: IncidentBuilder) -> None:
    """A live process gets its turns while a large window is gone through."""
    for number in range(1000):
        builder.request("GET /items", number, number + 1)
    yields: list[None] = []

    evidence_of(builder.incident(closed_ms=2000), lambda: yields.append(None))

    assert len(yields) == 32


def test_each_cause_is_explained(builder: IncidentBuilder) -> None:
    """Of a request that joined the incident of another one, too, and what is the same only once."""
    first = builder.open("GET /report", 0)
    builder.span("render", 0, 1_900, first)
    builder.end(first, 2_000)
    second = builder.open("GET /quick", 100)
    builder.span("wait", 100, 2_000, second)
    builder.end(second, 2_050)
    causes = [builder.slow(first, 2_000), builder.slow(second, 2_050)]

    found = findings_of(builder.incident(*causes, closed_ms=4_000))

    named = [finding.summary.split(" took")[0] for finding in found if finding.rule == "slow_child"]
    assert named == ["`render`", "`wait`"]
    assert found[0].summary.startswith("`render`")
    assert len({finding.summary for finding in found}) == len(found)
    assert [f.about for f in found if f.rule == "slow_child"] == ["", causes[1].trace_id]


def test_causes_in_one_trace_are_explained_together(builder: IncidentBuilder) -> None:
    """One trace is looked at once, whatever fired in it."""
    root = builder.open("GET /report", 0)
    builder.span("render", 0, 1_900, root)
    builder.end(root, 2_000, error="no")
    causes = [builder.slow(root, 2_000), builder.failed(root, 2_000), builder.slow(root, 1_500)]

    found = findings_of(builder.incident(*causes, closed_ms=4_000))

    assert [finding.rule for finding in found].count("slow_child") == 1
