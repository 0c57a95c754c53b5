"""An incident as one HTML file: whole, small, without markup of others, and fetching nothing."""

from __future__ import annotations

import base64
import hashlib
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_flight.assembly import ASSEMBLY
from otel_flight.incidents.incident import Incident
from otel_flight.report.html.page import html_page
from otel_flight.report.model.backend_links import BackendLinks
from otel_flight.report.model.incident_report import build_report
from tests.page.incidents import blocked_page, lock_page
from tests.support.incidents.incident_builder import IncidentBuilder
from tests.support.incidents.read_page import ReadPage, read_page
from tests.support.incidents.rich_incident import rich_incident

HOSTILE = "</script><script>alert(1)</script><!-- \u202eright to left\x00 &amp; ]]>"


@pytest.fixture
def builder(own_environment: Path) -> Iterator[IncidentBuilder]:
    """Return a builder."""
    with IncidentBuilder(own_environment) as builder:
        yield builder


def page_of(incident: Incident, links: BackendLinks | None = None) -> bytes:
    """Return the page of an incident."""
    report = build_report(incident, ASSEMBLY.rulebook)
    return html_page(report, incident, links or BackendLinks())


def slow_incident(builder: IncidentBuilder, name: str, attributes: dict[str, Any]) -> Incident:
    """Return an incident of a slow request."""
    root = builder.open(name, 0, attributes=attributes)
    builder.span("query", 0, 1_900, root, error=ValueError(name))
    builder.end(root, 2_000)
    return builder.incident(builder.slow(root, 2_000), closed_ms=4_000)


def attributes_of(window: dict[str, Any], row: int) -> dict[str, Any]:
    """Return the attributes of a span as the page reads them."""
    table, shapes = window["attributes"], window["spans"]["keys"]
    first = sum(len(table["shapes"][shape]) for shape in shapes[:row])
    keys = [table["keys"][key] for key in table["shapes"][shapes[row]]]
    return {key: table["values"][table["flat"][first + place]] for place, key in enumerate(keys)}


def test_everything_recorded_is_in_the_page(own_environment: Path) -> None:
    """Spans with parents, events and links, runtime events with stacks, findings, explanations."""
    incident = rich_incident(own_environment)

    page = read_page(page_of(incident))

    spans, events = page.window["spans"], page.window["events"]
    assert len(spans["start"]) == incident.manifest.spans + incident.manifest.open_spans
    assert len(spans["ids"]) == 16 * len(spans["start"])
    names = [page.window["texts"][name] for name in spans["name"]]
    report, call = names.index("GET /report"), names.index("GET")
    assert spans["parent"][call] == report
    assert attributes_of(page.window, call)["server.address"] == "inventory"
    more = spans["more"][str(call)]
    assert [name for name, _, _ in more["events"]] == ["retry", "exception"]
    assert more["events"][0][2] == {"n": 1, "ratio": 0.5, "names": '["a","b"]'}
    assert more["links"][0][1] == spans["ids"][16 * report : 16 * report + 16]
    assert len(events["start"]) == sum(1 for _ in incident.window.events())
    assert page.window["texts"][events["frames"][events["stacks"][0][-1]][0]] == "handle"
    assert page.window["explanations"]
    assert [each["summary"] for each in page.head["findings"]] == [
        each.summary for each in incident.manifest.findings
    ]
    assert page.head["markdown"].startswith("# Incident ")


def test_times_count_from_the_opening(builder: IncidentBuilder) -> None:
    """They are exact in nanoseconds, as numbers of JavaScript are not since the epoch."""
    window = read_page(page_of(slow_incident(builder, "GET /report", {}))).window

    assert window["spans"]["start"] == [-2_000_000_000, -2_000_000_000]
    assert window["spans"]["length"] == [2_000_000_000, 1_900_000_000]
    assert window["axis"] == [-2_000_000_000, 2_000_000_000]


def test_a_clock_of_elsewhere_does_not_widen_the_axis(builder: IncidentBuilder) -> None:
    """A span whose times are years off is there, and the others are not squeezed for it."""
    builder.span("from the future", 1e11, 2e11)

    window = read_page(page_of(slow_incident(builder, "GET /report", {}))).window

    assert len(window["spans"]["start"]) == 3
    assert window["axis"][1] == 2_000_000_000


def test_the_policy_names_what_is_there_by_its_hash(builder: IncidentBuilder) -> None:
    """One program and one style sheet are allowed, and no text becomes markup."""
    page = read_page(page_of(slow_incident(builder, "GET /report", {})))

    program = base64.b64encode(hashlib.sha256(page.texts["script"].encode()).digest()).decode()
    styles = base64.b64encode(hashlib.sha256(page.texts["style"].encode()).digest()).decode()
    assert page.policy.split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{styles}'",
        f"script-src 'sha256-{program}'",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]


def test_nothing_is_fetched(builder: IncidentBuilder) -> None:
    """No element names a source, no style sheet an address, and the program has no means."""
    page = read_page(page_of(slow_incident(builder, "GET /report", {})))

    links = [each for _, attributes in page.tags for each in attributes if each in {"src", "href"}]
    assert links == ["href"], "the link to the trace, below"
    assert ("a", {"class": "skip", "href": "#trace"}) in page.tags
    own = page.texts["style"] + page.texts["script"]
    assert not re.search(r"url\(|@import|https?://|innerHTML|outerHTML|insertAdjacent|eval\(", own)
    assert not re.search(r"\bfetch\(|XMLHttpRequest|WebSocket|sendBeacon|EventSource", own)


def test_what_was_recorded_ends_no_element(builder: IncidentBuilder) -> None:
    """A request may be called like the end of a script: the elements of the page stay the same."""
    harmless = read_page(page_of(slow_incident(builder, "GET /report", {"key": "value"})))

    hostile = read_page(page_of(slow_incident(builder, HOSTILE, {HOSTILE: HOSTILE})))

    assert hostile.tags == harmless.tags
    assert hostile.head["causes"][0]["subject"].startswith("</script><script>")
    row = [hostile.window["texts"][name] for name in hostile.window["spans"]["name"]].index(HOSTILE)
    assert attributes_of(hostile.window, row) == {HOSTILE: HOSTILE}


def test_the_same_incident_makes_the_same_page(builder: IncidentBuilder) -> None:
    """Two people who make it hold the same file."""
    incident = slow_incident(builder, "GET /report", {"key": "value"})

    assert page_of(incident) == page_of(incident)


def test_values_are_as_javascript_holds_them(builder: IncidentBuilder) -> None:
    """Large integers and what is no number go as text, lists as JSON."""
    values = {"large": 1 << 62, "nan": float("nan"), "list": ["a", "b"], "yes": True, "half": 0.5}

    window = read_page(page_of(slow_incident(builder, "GET /report", values))).window

    assert attributes_of(window, 0) == {
        "large": str(1 << 62),
        "nan": "nan",
        "list": '["a","b"]',
        "yes": True,
        "half": 0.5,
    }


def test_long_values_are_cut_until_the_page_is_small(builder: IncidentBuilder) -> None:
    """It has all spans all the same, and says how many values it cuts."""
    dice = random.Random(7)
    for number in range(40):
        noise = base64.b64encode(dice.randbytes(5_000)).decode()
        builder.span("noise", number, number + 1, attributes={"noise": noise})
    incident = slow_incident(builder, "GET /report", {})

    page = html_page(
        build_report(incident, ASSEMBLY.rulebook), incident, BackendLinks(), most_bytes=250_000
    )

    assert len(page) <= 250_000
    window = read_page(page).window
    assert len(window["spans"]["start"]) == 42
    assert window["shortened"] == 40
    assert window["longest"] == 1_024


def test_links_and_secrets_are_told_of(builder: IncidentBuilder) -> None:
    """Links into a backend are there as data, and how many values had a secret."""
    links = BackendLinks(jaeger={"trigger": "https://jaeger.example/trace/1"})
    incident = slow_incident(builder, "GET /report", {"authorization": "Bearer abcdefgh12345678"})

    page = read_page(page_of(incident, links))

    assert page.head["links"] == [["Jaeger", "trigger", "https://jaeger.example/trace/1"]]
    assert page.window["redacted"] == 1


def test_a_finding_names_what_shows_it(own_environment: Path) -> None:
    """The page marks the spans that the evidence names, and events by what the evidence counts."""
    blocked, lock = read_page(blocked_page(own_environment)), read_page(lock_page(own_environment))

    assert blocked.head["findings"][0]["events"] == ["event loop blocked"]
    (child,) = [each for each in lock.head["findings"] if each["rule"] == "slow child"]
    ids = lock.window["spans"]["ids"]
    (row,) = [
        row
        for row in range(len(ids) // 16)
        if lock.window["texts"][lock.window["spans"]["name"][row]] == "wait for lock"
    ]
    assert child["spans"] == [ids[16 * row : 16 * row + 16]]


def test_a_snapshot_has_a_page(builder: IncidentBuilder) -> None:
    """Nothing fired, and no span is there: the page says so."""
    page: ReadPage = read_page(page_of(builder.incident(closed_ms=10)))

    assert page.head["causes"] == []
    assert page.head["trigger"] == ["", ""]
    assert page.window["spans"]["start"] == []
