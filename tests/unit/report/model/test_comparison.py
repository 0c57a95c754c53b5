"""Two incidents beside each other: what counts as the same, and what is told of differences."""

from __future__ import annotations

from pathlib import Path

from otel_flight.assembly import ASSEMBLY
from otel_flight.incidents.incident import Incident
from otel_flight.names import attributes as names
from otel_flight.report.model.compared_values import Row
from otel_flight.report.model.comparison import MOST_ROWS, Comparison, compare
from otel_flight.report.model.incident_report import IncidentReport, build_report
from tests.support.incidents.incident_builder import IncidentBuilder, place


def report_of(incident: Incident) -> IncidentReport:
    """Return the report of an incident."""
    return build_report(incident, ASSEMBLY.rulebook)


def slow_report(
    ring_directory: Path,
    child: str = "query",
    *,
    others: int = 40,
    other_ms: float = 20,
    function: str = "crunch",
) -> IncidentReport:
    """Return the report of a slow request among others.

    Args:
        ring_directory: where it is recorded.
        child: the name of the span in which its time went.
        others: how many other requests there are.
        other_ms: how long each of them takes.
        function: what the stack samples show.
    """
    with IncidentBuilder(ring_directory) as builder:
        for number in range(others):
            builder.request(f"GET /items/{number}", number * 10, number * 10 + other_ms)
        root = builder.open("GET /report", 500)
        for moment in range(600, 1_500, 100):
            places = [place("main", "/app/main.py", 3), place(function, "/app/shop.py", moment)]
            builder.event("stacks", "running", moment, thread_id=7, span=root, places=places)
        builder.span(child, 510, 2_000, root)
        builder.end(root, 2_100)
        return report_of(builder.incident(builder.slow(root, 2_100), closed_ms=4_100))


def rows_of(comparison: Comparison, title: str) -> dict[str, Row]:
    """Return the rows of a section."""
    (section,) = [each for each in comparison.sections if each.title == title]
    return {row.what: row for row in section.rows}


def test_an_incident_is_the_same_as_itself(own_environment: Path) -> None:
    """Nothing differs, and each section is there that has something to say."""
    report = slow_report(own_environment)

    comparison = compare(report, report)

    verdicts = {row.verdict for section in comparison.sections for row in section.rows}
    assert verdicts == {"same"}
    assert {each.title for each in comparison.sections} == {
        "What happened",
        "Findings",
        "Evidence",
        "Where the time went",
        "Functions in the stack samples",
        "Requests",
        "Window",
        "Service and process",
    }


def test_requests_are_compared_by_route(own_environment: Path) -> None:
    """Ids in names make no routes; how long and how often is told with the factor between them."""
    few = slow_report(own_environment, others=40)
    many = slow_report(own_environment, others=100, other_ms=61)

    row = rows_of(compare(few, many), "Requests")["GET /items/{id}"]

    assert row.values == ("40 (9.8/s), p50 20ms, p99 20ms", "100 (24/s), p50 61ms, p99 61ms")
    assert (row.verdict, row.change) == ("differs", "rate ×2.5, p50 ×3, p99 ×3")


def test_small_differences_of_numbers_are_none(own_environment: Path) -> None:
    """Two windows of the same traffic are never equal to the last digit."""
    one = slow_report(own_environment, others=40, other_ms=20)
    other = slow_report(own_environment, others=50, other_ms=25)

    assert rows_of(compare(one, other), "Requests")["GET /items/{id}"].verdict == "same"


def test_a_finding_is_the_same_if_it_names_the_same(own_environment: Path) -> None:
    """Another culprit by the same rule differs; it comes first, with its evidence."""
    query, lock = slow_report(own_environment), slow_report(own_environment, "wait for lock")

    assert rows_of(compare(query, query), "Findings")["slow child"].verdict == "same"
    row = rows_of(compare(query, lock), "Findings")["slow child"]
    assert row.verdict == "differs"
    assert ["`query`" in row.values[0], "`wait for lock`" in row.values[1]] == [True, True]
    evidence = rows_of(compare(query, lock), "Evidence")
    assert evidence["slow child: span"].values == ("query", "wait for lock")
    assert evidence["slow child: duration"].values == ("1.49s", "1.49s")
    assert not any("id" in each.split() for each in evidence)


def test_functions_are_compared_by_their_part_of_the_samples(own_environment: Path) -> None:
    """At which line a function was is no difference, and one that only one side has is."""
    one, other = slow_report(own_environment), slow_report(own_environment, function="parse")

    same = rows_of(compare(one, one), "Functions in the stack samples")
    assert {row.what: row.values[0] for row in same.values()} == {
        "crunch (app/shop.py)": "100% of 9 samples"
    }
    verdicts = rows_of(compare(one, other), "Functions in the stack samples")
    assert verdicts["crunch (app/shop.py)"].verdict == "only in the first"
    assert verdicts["parse (app/shop.py)"].verdict == "only in the second"


def test_waits_in_samples_are_functions_of_their_own(own_environment: Path) -> None:
    """A function that ran and one that waited are not told as one."""
    with IncidentBuilder(own_environment) as builder:
        for kind in ("", "lock"):
            attributes = {names.WAIT_KIND: kind, names.WAIT_ON: "stock"} if kind else {}
            places = [place("sell", "/app/shop.py", 1)]
            builder.event("stacks", "sample", 100, attributes=attributes, places=places)
        report = report_of(builder.incident(closed_ms=500))

    assert list(rows_of(compare(report, report), "Functions in the stack samples")) == [
        "sell (app/shop.py)",
        "sell (app/shop.py), waiting: lock stock",
    ]


def test_the_comparison_is_bounded(own_environment: Path) -> None:
    """However many routes there are, and however long their names: so many rows, so long."""
    with IncidentBuilder(own_environment) as builder:
        for number in range(200):
            word = chr(ord("a") + number // 26) + chr(ord("a") + number % 26)
            builder.request(f"{word} {'long ' * 200}", 0, 10)
        report = report_of(builder.incident(closed_ms=500))

    (section,) = [each for each in compare(report, report).sections if each.title == "Requests"]

    assert (len(section.rows), section.left_out) == (MOST_ROWS, 200 - MOST_ROWS)
    assert all(len(row.what) <= 400 for row in section.rows)
