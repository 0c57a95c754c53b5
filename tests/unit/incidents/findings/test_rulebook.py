"""A rule describes itself: a new one needs nothing but its description in the list of rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from otel_flight.assembly import ASSEMBLY
from otel_flight.ground.guard import Guard
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.findings.rulebook import Rulebook
from otel_flight.incidents.making.completion import complete
from otel_flight.incidents.manifest import Finding
from otel_flight.report.model.incident_report import build_report
from tests.support.incidents.incident_builder import IncidentBuilder


def find_tea_time(evidence: Evidence) -> Finding | None:
    """Say that tea was asked for."""
    if not any("tea" in root.name for root in evidence.roots):
        return None
    return Finding(rule=TEA_TIME.name, summary="tea was asked for", explained_share=1.0)


TEA_TIME: Final = Rule(
    name="tea_time", kind=Kind.CIRCUMSTANCE, title="It was tea time", find=find_tea_time
)


@pytest.fixture
def rulebook() -> Rulebook:
    """The rules in force, and one line more."""
    return replace(ASSEMBLY.rulebook, rules=(*ASSEMBLY.rulebook.rules, TEA_TIME))


@pytest.fixture
def builder(own_environment: Path) -> Iterator[IncidentBuilder]:
    """A ring to record into."""
    with IncidentBuilder(own_environment) as builder:
        yield builder


def test_a_new_rule_is_found_in_incidents_and_reports(
    builder: IncidentBuilder, rulebook: Rulebook
) -> None:
    """Its finding is in the manifest beside those of the others, and in a report of an old file."""
    root = builder.open("GET /tea", 0)
    builder.span("brew", 10, 1900, root)
    builder.end(root, 2000)
    written_before = builder.incident(builder.slow(root, 2000), closed_ms=4000)

    completed = complete(written_before, rulebook, Guard(), set())
    report = build_report(written_before, rulebook)

    assert [each.rule for each in written_before.manifest.findings] == ["slow_child"]
    for findings in (completed.manifest.findings, report.findings):
        assert [each.rule for each in findings] == ["tea_time", "slow_child"]


def test_a_new_rule_is_silent_where_it_has_nothing_to_say(
    builder: IncidentBuilder, rulebook: Rulebook
) -> None:
    """None is no finding."""
    builder.request("GET /coffee", 0, 5)

    assert rulebook.findings(rulebook.evidence(builder.incident(closed_ms=100))) == []


def test_a_new_trigger_is_about_what_the_rulebook_says(builder: IncidentBuilder) -> None:
    """Of a failure the reason comes first, and a slow span is looked at for slowness."""
    root = builder.span("GET /tea", 0, 2000, error="cold")
    incident = builder.incident(builder.cause("tea", "cold tea", root, 2000), closed_ms=4000)
    rules = (TEA_TIME, *ASSEMBLY.rulebook.rules)
    of_failure = Rulebook(rules=rules, failure_triggers={"tea"}, slow_triggers=set())
    of_slowness = Rulebook(rules=rules, failure_triggers=set(), slow_triggers={"tea"})

    failed, slow = of_failure.evidence(incident), of_slowness.evidence(incident)

    assert (failed.is_of_failure, failed.slow) == (True, None)
    assert (slow.is_of_failure, slow.slow) == (False, slow.trigger)
    names = [[each.rule for each in of_failure.findings(each)] for each in (failed, slow)]
    assert names == [["error_origin", "tea_time"], ["tea_time", "error_origin"]]
