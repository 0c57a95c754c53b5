"""What Perfetto's own trace processor and page make of an incident."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_flight.incidents.incident import Incident
from tests.page.perfetto_page import NoPerfettoError, PerfettoPage, perfetto_page
from tests.support.incidents.incident_builder import IncidentBuilder
from tests.support.incidents.rich_incident import rich_incident

perfetto_file = pytest.importorskip("otel_flight.cli.commands.export.perfetto_file")


@pytest.fixture
def incident(own_environment: Path) -> Incident:
    """An incident with something of everything."""
    return rich_incident(own_environment)


@pytest.fixture
def page(browser: Any, incident: Incident) -> Iterator[PerfettoPage]:
    """Open that incident in Perfetto."""
    try:
        with perfetto_page(browser, perfetto_file.perfetto([incident])) as opened:
            yield opened
    except NoPerfettoError as error:
        pytest.skip(str(error))


def test_everything_is_there_and_nothing_is_complained_of(
    page: PerfettoPage, incident: Incident
) -> None:
    """Each span is a slice of its length, the one still open has none, and no packet is lost."""
    assert page.rows("select name from stats where severity != 'info' and value > 0") == []

    spans = list(incident.window.spans())
    expected = Counter(
        (each.record.name, -1 if each.is_open else each.duration_ns) for each in spans
    )
    names = {each.record.name for each in spans}
    slices = page.rows("select name, dur from slice where dur != 0")
    assert Counter((name, length) for name, length in slices if name in names) == expected


def test_what_was_found_is_read_without_a_click(page: PerfettoPage, incident: Incident) -> None:
    """It stands above the request that fired, over its time, and before all other tracks."""
    tracks = page.rows(
        "select t.name, s.depth, s.name from slice s join track t on s.track_id = t.id "
        "where t.name like 'Incident%' order by t.name, s.depth, s.ts"
    )
    found = [
        row[2] for row in tracks if row[2] in {each.summary for each in incident.manifest.findings}
    ]
    assert found == [each.summary for each in incident.manifest.findings]
    text = page.driver.locator(".pf-track__title, .pf-track, .track-shell").all_inner_texts()
    shown = " ".join(" ".join(text).split())
    assert shown.index("Incident: GET /report") < shown.index("Requests")


def test_arrows_lead_along_links_and_values_are_curves(browser: Any, own_environment: Path) -> None:
    """From a span to those that link to it, and to a child on another track."""
    with IncidentBuilder(own_environment) as builder:
        sent = builder.request("POST /job", 0, 10)
        root = builder.open("work", 100)
        root.add_link(sent.get_span_context())
        builder.span("first", 110, 150, root)
        builder.span("second", 120, 160, root)
        builder.end(root, 200)
        builder.event("process", "process vitals", 150, attributes={"process.memory.usage": 7})
        incident = builder.incident(builder.failed(root, 200), closed_ms=2200)

    try:
        with perfetto_page(browser, perfetto_file.perfetto([incident])) as page:
            arrows = page.rows(
                "select one.name, other.name from flow "
                "join slice one on slice_out = one.id join slice other on slice_in = other.id"
            )
            values = page.rows(
                "select t.name, c.value from counter c join track t on c.track_id = t.id"
            )
    except NoPerfettoError as error:
        pytest.skip(str(error))

    assert sorted(arrows) == [["POST /job", "work"], ["work", "second"]]
    assert values == [["process.memory.usage", 7]]
