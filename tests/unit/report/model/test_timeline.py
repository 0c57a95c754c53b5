"""The timeline: rows of the trigger's request in order, its neighbours, and bounded both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import get_ident

import pytest
from opentelemetry.sdk.trace import Span

from otel_flight.incidents.incident import Incident
from otel_flight.incidents.manifest import Explanation
from otel_flight.report.model.timeline import UNLIMITED, Timeline, build_timeline
from otel_flight.report.model.trace_rows import Gap, Row
from tests.support.incidents.findings import evidence_of
from tests.support.incidents.incident_builder import (
    REMOTE_PARENT,
    START_NS,
    IncidentBuilder,
    at,
    place,
)

MS = 1_000_000


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[IncidentBuilder]:
    """A ring to record into."""
    with IncidentBuilder(tmp_path / "ring", window_bytes=4 * 1024**2) as builder:
        yield builder


def timeline_of(
    incident: Incident, *, max_rows: int = UNLIMITED, max_neighbours: int = UNLIMITED
) -> Timeline:
    """Return the timeline of an incident with its findings."""
    return build_timeline(
        evidence_of(incident),
        incident.manifest.findings,
        incident.manifest.explanations,
        max_rows=max_rows,
        max_neighbours=max_neighbours,
    )


def shown(timeline: Timeline) -> list[str]:
    """Return the rows as one text each."""
    return [
        f"{row.tree}{row.name}" if isinstance(row, Row) else f"{row.tree}… {row.spans} {row.name}"
        for row in timeline.rows
    ]


def inferred(
    span: Span,
    name: str,
    start_ms: float,
    end_ms: float,
    *,
    at_place: tuple[str, int],
    own_id: str = "",
    parent_id: str = "",
) -> Explanation:
    """Return an inferred span below a span, or below another explanation."""
    context = span.get_span_context()
    assert context is not None
    return Explanation(
        kind="inferred",
        name=name,
        trace_id=f"{context.trace_id:032x}",
        parent_span_id=parent_id or f"{context.span_id:016x}",
        id=own_id,
        start_ns=at(start_ms),
        end_ns=at(end_ms),
        attributes={
            "code.function.name": name,
            "code.file.path": at_place[0],
            "code.line.number": at_place[1],
        },
    )


def many_calls(builder: IncidentBuilder, calls: int) -> Span:
    """Record a slow request with so many quick calls, and one slow one in the middle."""
    root = builder.open("GET /orders", 0)
    handler = builder.open("list orders", 1, root)
    for number in range(calls):
        builder.span("SELECT", 2 + number, 3 + number, handler)
        if number == calls // 2:
            builder.span("lock", 3 + number, 3 + number + 5000, handler)
    builder.end(handler, 9000)
    return builder.end(root, 9001)


def test_spans_stand_under_their_parents_by_start(builder: IncidentBuilder) -> None:
    """Children follow their parent, earlier ones first, whatever order they ended in."""
    root = builder.open("GET /report", 100, REMOTE_PARENT)
    second = builder.open("second", 300, root)
    builder.span("inner", 310, 320, second)
    builder.span("first", 200, 290, root)
    builder.end(second, 400)
    builder.end(root, 1500)

    timeline = timeline_of(builder.incident(builder.slow(root, 1500), closed_ms=3500))

    assert shown(timeline) == ["GET /report", "├ first", "└ second", "  └ inner"]
    assert timeline.start_ns == START_NS + 100 * MS
    assert timeline.length_ns == 1400 * MS
    inner = timeline.rows[3]
    assert isinstance(inner, Row)
    assert (inner.offset_ns, inner.duration_ns, inner.depth) == (210 * MS, 10 * MS, 2)


def test_rows_say_what_is_notable_about_a_span(builder: IncidentBuilder) -> None:
    """The trigger, failures, open spans and the numbers of findings are marked."""
    root = builder.open("GET /report", 0)
    builder.span("lookup", 10, 60, root, error=ValueError("no"))
    builder.open("wait", 70, root)
    cause = builder.slow(root, 1000, trigger="slow_open_root")

    timeline = timeline_of(builder.incident(cause, closed_ms=3000))

    rows = [row for row in timeline.rows if isinstance(row, Row)]
    assert [(row.name, row.is_trigger, row.is_error, row.is_open) for row in rows] == [
        ("GET /report", True, False, True),
        ("lookup", False, True, False),
        ("wait", False, False, True),
    ]
    assert [row.findings for row in rows] == [(3,), (2,), (1,)]


def test_a_deep_trigger_is_shown_within_its_whole_request(builder: IncidentBuilder) -> None:
    """When an inner span fired, the request around it is on the timeline too."""
    root = builder.open("POST /cart", 0)
    inner = builder.span("insert", 10, 20, root, error=ValueError("no"))
    builder.end(root, 30)

    timeline = timeline_of(builder.incident(builder.failed(inner, 20), closed_ms=2000))

    assert shown(timeline) == ["POST /cart", "└ insert"]
    assert timeline.length_ns == 30 * MS


@pytest.mark.parametrize("max_rows", [3, 10, 1000])
def test_every_span_is_shown_or_counted_in_a_gap(builder: IncidentBuilder, max_rows: int) -> None:
    """Whatever the limit, rows and the counts of the gaps add up to all spans."""
    root = many_calls(builder, 500)
    incident = builder.incident(builder.slow(root, 9001), closed_ms=9500)

    timeline = timeline_of(incident, max_rows=max_rows)

    rows = [row for row in timeline.rows if isinstance(row, Row)]
    gaps = [row for row in timeline.rows if isinstance(row, Gap)]
    assert len(rows) <= max_rows
    assert len(rows) + sum(gap.spans for gap in gaps) == timeline.spans == 503


def test_scarce_rows_go_to_what_tells_most(builder: IncidentBuilder) -> None:
    """Of repeated calls the longest stands for all; trigger and culprit are never left out."""
    root = many_calls(builder, 500)

    timeline = timeline_of(builder.incident(builder.slow(root, 9001), closed_ms=9500), max_rows=10)

    assert shown(timeline) == [
        "GET /orders",
        "└ list orders",
        "  ├ SELECT",
        "  ├ … 250 SELECT",
        "  ├ lock",
        "  └ … 249 SELECT",
    ]


def test_failed_spans_get_rows_before_long_ones(builder: IncidentBuilder) -> None:
    """A quick failure among many longer spans is shown."""
    root = builder.open("GET /orders", 0)
    for number in range(50):
        builder.span(f"step {number}", number * 20, number * 20 + 19, root)
    builder.span("audit", 500, 501, root, error="no")
    builder.end(root, 1100)

    timeline = timeline_of(builder.incident(builder.slow(root, 1100), closed_ms=2000), max_rows=5)

    assert "audit" in {row.name for row in timeline.rows if isinstance(row, Row)}


def test_spans_whose_parent_was_lost_are_kept(builder: IncidentBuilder) -> None:
    """A span whose parent is not in the window stands beside the request, not nowhere."""
    root = builder.open("GET /report", 0)
    lost = builder.open("lost", 10, root)
    builder.span("orphan", 20, 30, lost)
    builder.end(root, 2000)
    incident = builder.incident(builder.slow(root, 2000), closed_ms=4000)
    incident.window.open_spans = None

    assert shown(timeline_of(incident)) == ["GET /report", "orphan"]


def test_a_pause_hangs_below_the_span_it_interrupted(builder: IncidentBuilder) -> None:
    """It stands among the children by its start, and says what it is and whose doing it was."""
    other = builder.request("GET /heavy", 200, 900)
    root = builder.open("GET /report", 0)
    builder.span("first", 10, 100, root)
    builder.span("last", 1000, 1100, root)
    builder.end(root, 1200)
    builder.event(
        "event_loop",
        "event loop blocked",
        300,
        800,
        thread_id=get_ident(),
        span=other,
        places=[place("serve", "/app/main.py", 3), place("crunch", "/app/heavy.py", 12)],
    )

    timeline = timeline_of(builder.incident(builder.slow(root, 1200), closed_ms=3000))

    assert shown(timeline) == ["GET /report", "├ first", "├ event loop blocked", "└ last"]
    pause = timeline.rows[2]
    assert isinstance(pause, Row)
    assert (pause.kind, pause.detail) == ("pause", "crunch (heavy.py:12) of GET /heavy")
    assert (pause.offset_ns, pause.duration_ns, pause.span_id) == (300 * MS, 500 * MS, "")
    assert (timeline.spans, timeline.pauses, timeline.inferred) == (3, 1, 0)


def test_a_pause_has_the_number_of_the_finding_it_is_called_after(
    builder: IncidentBuilder,
) -> None:
    """Who reads that the loop was blocked sees in the tree when; other pauses are not marked."""
    root = builder.request("GET /report", 0, 1200)
    builder.event("gc", "gc pause", 100, 120)
    builder.event(
        "event_loop",
        "event loop blocked",
        300,
        1100,
        thread_id=get_ident(),
        attributes={"code.function.name": "crunch", "code.file.path": "/app/heavy.py"},
    )

    timeline = timeline_of(builder.incident(builder.slow(root, 1200), closed_ms=3000))

    rows = [row for row in timeline.rows if isinstance(row, Row)]
    assert [(row.name, row.findings) for row in rows] == [
        ("GET /report", ()),
        ("gc pause", ()),
        ("event loop blocked", (1,)),
    ]


def test_inferred_spans_hang_below_each_other(builder: IncidentBuilder) -> None:
    """What stack samples tell is a tree of its own below the span that was running."""
    root = builder.open("GET /report", 0)
    work = builder.span("work", 100, 1100, root)
    builder.end(root, 1200)
    incident = builder.incident(builder.slow(root, 1200), closed_ms=3000)
    outer = inferred(
        work, "render", 150, 1050, at_place=("/app/pages.py", 7), own_id="00000000000000aa"
    )
    inner = inferred(work, "escape", 200, 1000, at_place=("/app/html.py", 99), parent_id=outer.id)

    timeline = build_timeline(evidence_of(incident), (), [outer, inner])

    assert shown(timeline) == ["GET /report", "└ work", "  └ render", "    └ escape"]
    rows = [row for row in timeline.rows if isinstance(row, Row)]
    assert [(row.kind, row.detail) for row in rows[2:]] == [
        ("inferred", "pages.py:7"),
        ("inferred", "html.py:99"),
    ]
    assert (timeline.spans, timeline.inferred) == (2, 2)


def test_long_pauses_get_rows_before_long_spans(builder: IncidentBuilder) -> None:
    """Of many pauses the longest are shown, the others counted in gaps."""
    root = builder.open("GET /orders", 0)
    for number in range(50):
        builder.span(f"step {number}", number * 40, number * 40 + 39, root)
        length = 18 if number == 25 else 11
        builder.event("gc", "gc pause", number * 40, number * 40 + length)
    builder.end(root, 2100)

    timeline = timeline_of(builder.incident(builder.slow(root, 2100), closed_ms=3000), max_rows=5)

    rows = [row for row in timeline.rows if isinstance(row, Row)]
    gaps = [row for row in timeline.rows if isinstance(row, Gap)]
    assert [row.duration_ns for row in rows if row.kind == "pause"] == [18 * MS]
    assert len(rows) + sum(gap.spans for gap in gaps) == timeline.spans + timeline.pauses == 101


def test_an_explanation_of_a_span_that_was_lost_is_left_out(builder: IncidentBuilder) -> None:
    """Nothing hangs below a span that is not there."""
    root = builder.request("GET /report", 0, 1200)
    elsewhere = builder.request("GET /items", 0, 100)
    incident = builder.incident(builder.slow(root, 1200), closed_ms=3000)
    astray = inferred(elsewhere, "render", 10, 90, at_place=("/app/pages.py", 7))

    assert shown(build_timeline(evidence_of(incident), (), [astray])) == ["GET /report"]


def test_parents_in_a_circle_are_drawn_once(builder: IncidentBuilder) -> None:
    """Span ids come from outside: a parent that is its own descendant is no endless tree."""
    root = builder.open("GET /a", 0)
    child = builder.open("child", 0, root)
    root._parent = child.get_span_context()
    builder.end(child, 2000)
    builder.end(root, 2000)

    timeline = timeline_of(builder.incident(builder.slow(root, 2000), closed_ms=4000))

    assert sorted(row.name for row in timeline.rows) == ["GET /a", "child"]


def test_neighbours_are_the_requests_that_overlap(builder: IncidentBuilder) -> None:
    """Requests that ended before or began after are none; one that spans it all is."""
    builder.request("before", 0, 90)
    root = builder.request("GET /report", 100, 1200)
    builder.request("around", 50, 1300)
    builder.request("within", 500, 600)
    builder.request("after", 1201, 1300)

    timeline = timeline_of(builder.incident(builder.slow(root, 1200), closed_ms=3000))

    assert [neighbour.name for neighbour in timeline.neighbours] == ["around", "within"]
    assert timeline.neighbours[0].offset_ns == -50 * MS
    assert timeline.neighbours[0].duration_ns == 1250 * MS


def test_scarce_neighbours_are_the_failed_the_open_and_the_longest(
    builder: IncidentBuilder,
) -> None:
    """What is left out is counted by name, and those kept stand in order of time."""
    root = builder.request("GET /report", 0, 2000)
    for number in range(20):
        builder.request("GET /items", 100 + number, 150 + number)
    builder.request("longest", 300, 900)
    builder.request("open", 1000, None)
    builder.request("failed", 1500, 1501, error="no")

    timeline = timeline_of(
        builder.incident(builder.slow(root, 2000), closed_ms=3000), max_neighbours=3
    )

    assert [neighbour.name for neighbour in timeline.neighbours] == ["longest", "open", "failed"]
    assert timeline.neighbours_total == 23
    assert timeline.neighbour_names[0] == ("GET /items", 20)


def test_neighbours_that_findings_name_are_kept_and_marked(builder: IncidentBuilder) -> None:
    """A job that a finding blames is shown even when others failed, with the finding's number."""
    job = builder.span("rebuild index", 900, 3098)
    root = builder.open("GET /report", 1000)
    builder.request("failed", 1500, 1501, error="no")
    builder.span("wait for lock", 1100, 3100, root)
    builder.end(root, 3150)

    timeline = timeline_of(
        builder.incident(builder.slow(root, 3150), closed_ms=5000), max_neighbours=1
    )

    assert [(each.name, each.findings) for each in timeline.neighbours] == [(job.name, (2,))]


def test_another_request_of_the_same_trace_is_a_neighbour(builder: IncidentBuilder) -> None:
    """An upstream batch that calls this service many times does not stretch the timeline."""
    root = builder.span("GET /report", 5000, 7000, REMOTE_PARENT)
    builder.span("GET /items", 0, 10, REMOTE_PARENT)
    builder.span("GET /items", 6000, 6010, REMOTE_PARENT)

    timeline = timeline_of(builder.incident(builder.slow(root, 7000), closed_ms=9000))

    assert shown(timeline) == ["GET /report"]
    assert timeline.length_ns == 2000 * MS
    assert [neighbour.offset_ns for neighbour in timeline.neighbours] == [1000 * MS]


def test_without_a_trigger_span_the_last_seconds_are_shown(builder: IncidentBuilder) -> None:
    """A trigger from outside has no trace; the requests of the five seconds before are shown."""
    builder.request("long ago", 0, 100)
    builder.request("just before", 9000, 9100)
    builder.request("after", 10_500, 10_600)
    cause = builder.cause("external", "health check failed", None, 10_000)

    timeline = timeline_of(builder.incident(cause, closed_ms=12_000))

    assert timeline.rows == ()
    assert timeline.trace_id == ""
    assert timeline.length_ns == 7000 * MS
    assert [neighbour.name for neighbour in timeline.neighbours] == ["just before", "after"]


def test_an_empty_window_has_a_timeline(builder: IncidentBuilder) -> None:
    """A snapshot of nothing is drawn as nothing."""
    timeline = timeline_of(builder.incident(closed_ms=0))

    assert (timeline.rows, timeline.neighbours) == ((), ())
    assert timeline.length_ns > 0
