"""The incident's own trace says what happened, what was found and what else was going on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import Event
from opentelemetry.trace import StatusCode, set_span_in_context

from otel_flight.delivery.incident_trace.request_lane import MOST_REQUESTS, request_lane
from otel_flight.delivery.incident_trace.runtime_lanes import events_by_source
from otel_flight.delivery.incident_trace.span_index import SpanIndex
from otel_flight.delivery.incident_trace.trace import (
    IncidentTrace,
    Lane,
    LaneBuilder,
    LaneMaterial,
    LaneSpan,
    link_to,
)
from otel_flight.delivery.otlp.derived_ids import derived_span_id, derived_trace_id
from otel_flight.delivery.otlp.origins import SpanOrigins
from otel_flight.delivery.otlp.spans import RecordedSpan
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.manifest import Coverage, Finding, Losses
from otel_flight.records.records import RuntimeEvent
from tests.support.incidents.rig_incidents import CLOSED_NS, INCIDENT_ID, cause_of, incident_of
from tests.support.rigs.recording_rig import RecordingRig

MS = 1_000_000


@pytest.fixture
def rig(own_environment: Path) -> Iterator[RecordingRig]:
    """A ring that is recorded into."""
    with RecordingRig(own_environment) as rig:
        rig.collect_ended()
        yield rig


def trace_of(
    incident: Incident, lanes: Sequence[LaneBuilder] = (request_lane,)
) -> list[RecordedSpan]:
    """Return the incident's trace."""
    manifest = incident.manifest
    trace = IncidentTrace(manifest, SpanOrigins(manifest).own_resource)
    index = SpanIndex(incident.window, lambda: None)
    return trace.build(LaneMaterial(manifest, index, events_by_source(incident.window)), lanes)


def request(rig: RecordingRig, name: str, start_ms: int, end_ms: int) -> None:
    """Record a local root; times are milliseconds."""
    rig.tracer.start_span(name, start_time=start_ms * MS).end(end_ms * MS)


def texts(span: RecordedSpan | Event) -> dict[str, Any]:
    """Return the attributes of a span or an event."""
    return dict(span.attributes or {})


def test_the_root_tells_the_incident(rig: RecordingRig) -> None:
    """Name, time, status, facts, findings, causes and losses; the trigger is the first link."""
    request(rig, "GET /pay", 5, 9)
    [span] = rig.ended.spans
    causes = [
        cause_of(span, attributes={"exception.type": "Refused", "flight_recorder.limit_ns": 5}),
        cause_of(span, "manual", reason="asked", trace_id="", span_id="", subject="", repeats=3),
    ]
    incident = incident_of(
        rig,
        causes=causes,
        opened_ns=9 * MS,
        closed_ns=11 * MS,
        coverage=Coverage(requested_seconds=60.0, start_ns=2 * MS, end_ns=11 * MS),
        findings=[Finding(rule="error_origin", summary="the card was refused")],
        losses=Losses(evicted=7),
        process={"pid": 42, "host": "web-1", "python": "3.12.1"},
        spans=1,
    )

    root = trace_of(incident)[0]

    assert root.name == "incident: error span GET /pay"
    assert (root.start_time, root.end_time, root.parent) == (2 * MS, 11 * MS, None)
    assert root.status.status_code is StatusCode.ERROR
    assert root.status.description == "the card was refused"
    context = span.get_span_context()
    assert context is not None
    assert [(link.context.span_id, dict(link.attributes or {})) for link in root.links] == [
        (context.span_id, {"flight_recorder.link": "trigger"})
    ]
    assert (
        texts(root).items()
        >= {
            "flight_recorder.kind": "incident",
            "flight_recorder.incident.id": INCIDENT_ID,
            "flight_recorder.incident.reason": "error span",
            "flight_recorder.incident.subject": "GET /pay",
            "flight_recorder.incident.trigger": "error_span",
            "flight_recorder.cause.exception.type": "Refused",
            "flight_recorder.limit_ns": 5,
            "flight_recorder.finding.1": "the card was refused",
            "flight_recorder.finding.1.rule": "error_origin",
            "flight_recorder.window.covered_seconds": 0.009,
            "flight_recorder.window.spans": 1,
            "flight_recorder.lost.evicted": 7,
            "process.pid": 42,
            "process.runtime.version": "3.12.1",
            "flight_recorder.process.host": "web-1",
        }.items()
    )
    assert [(event.name, event.timestamp) for event in root.events] == [
        ("error span", 9 * MS),
        ("asked", 9 * MS),
    ]
    assert (root.events[1].attributes or {})["flight_recorder.cause.repeats"] == 3


def test_the_span_an_error_was_in_is_told_besides_the_request(rig: RecordingRig) -> None:
    """In the name of the root, as an attribute of it, and on the event of the cause."""
    request(rig, "SELECT", 1, 2)
    cause = cause_of(rig.ended.spans[0], subject="GET /pay", origin="SELECT")

    root = trace_of(incident_of(rig, causes=[cause]))[0]

    assert root.name == "incident: error span GET /pay (in SELECT)"
    said = {
        "flight_recorder.incident.subject": "GET /pay",
        "flight_recorder.incident.origin": "SELECT",
    }
    assert texts(root).items() >= said.items()
    assert texts(root.events[0]).items() >= said.items()


def test_without_findings_the_title_is_the_description(rig: RecordingRig) -> None:
    """An incident no rule had anything to say about is an error all the same."""
    request(rig, "GET /", 1, 2)

    root = trace_of(incident_of(rig, causes=[cause_of(rig.ended.spans[0])]))[0]

    assert root.status.description == "error span GET /"


def test_a_snapshot_is_no_error(rig: RecordingRig) -> None:
    """Nobody claimed that something is wrong."""
    root = trace_of(incident_of(rig))[0]

    assert root.name == "incident: snapshot"
    assert root.status.status_code is StatusCode.UNSET
    assert not root.links


def test_ids_are_the_same_each_time(rig: RecordingRig) -> None:
    """A resend repeats ids; another incident has others."""
    request(rig, "GET /", 1, 2)
    incident = incident_of(rig, opened_ns=2 * MS)

    ids = [[span.context for span in trace_of(incident)] for _ in range(2)]
    other = trace_of(incident_of(rig, incident_id="20260101-100000-ffffff"))

    assert ids[0] == ids[1]
    assert len({context.span_id for context in ids[0]}) == len(ids[0]) == 3
    assert other[0].context.trace_id != ids[0][0].trace_id


def test_the_incident_before_is_linked(rig: RecordingRig) -> None:
    """Its root span is known from its id alone."""
    root = trace_of(incident_of(rig, previous_incident_id="before"))[0]

    [link] = root.links
    assert link.context.trace_id == derived_trace_id("before")
    assert link.context.span_id == derived_span_id("before", "root")
    assert texts(root)["flight_recorder.incident.previous"] == "before"


def test_long_texts_go_on_under_numbered_keys(rig: RecordingRig) -> None:
    """No attribute value is over 2048 bytes, no character is torn, nothing is lost."""
    summary = "ä" * 2500
    root = trace_of(incident_of(rig, findings=[Finding(rule="r", summary=summary)]))[0]

    parts = [texts(root)[f"flight_recorder.finding.1{end}"] for end in ("", ".2", ".3")]

    assert "".join(parts) == summary
    assert all(len(part.encode()) <= 2048 for part in parts)
    assert len((root.status.description or "").encode()) <= 2048


def test_the_request_lane_lists_what_was_in_flight(rig: RecordingRig) -> None:
    """Local roots that overlap the triggering request, also after and before; no other."""
    request(rig, "before", 0, 90)
    request(rig, "overlaps the start", 80, 120)
    request(rig, "the trigger", 100, 200)
    request(rig, "after", 201, 300)
    hung = rig.tracer.start_span("hung", start_time=150 * MS)
    child = rig.tracer.start_span("child", set_span_in_context(hung), start_time=160 * MS)
    child.end(170 * MS)
    trigger = rig.ended.spans[2]

    root, lane, *entries = trace_of(
        incident_of(rig, causes=[cause_of(trigger)], opened_ns=200 * MS, closed_ns=400 * MS)
    )

    assert (lane.name, texts(lane)["flight_recorder.kind"]) == ("lane: requests", "lane")
    assert lane.parent == root.context
    assert texts(lane)["flight_recorder.requests"] == 3
    assert [entry.name for entry in entries] == ["overlaps the start", "the trigger", "hung"]
    assert all(entry.parent == lane.context for entry in entries)
    assert [entry.end_time for entry in entries] == [120 * MS, 200 * MS, 400 * MS]
    context = trigger.get_span_context()
    assert context is not None
    assert (
        texts(entries[1]).items()
        >= {
            "flight_recorder.kind": "index",
            "flight_recorder.trace_id": f"{context.trace_id:032x}",
            "flight_recorder.span_id": f"{context.span_id:016x}",
            "flight_recorder.is_trigger": True,
        }.items()
    )
    assert entries[1].links[0].context.span_id == context.span_id
    assert texts(entries[2])["flight_recorder.unfinished"] is True
    hung.end()


def test_a_failing_child_stands_for_its_whole_request(rig: RecordingRig) -> None:
    """What overlaps the request is listed, also when only its child fired."""
    root = rig.tracer.start_span("request", start_time=100 * MS)
    child = rig.tracer.start_span("child", set_span_in_context(root), start_time=190 * MS)
    child.end(195 * MS)
    request(rig, "early", 90, 110)
    root.end(200 * MS)
    cause = cause_of(rig.ended.spans[0])

    entries = trace_of(incident_of(rig, causes=[cause], opened_ns=195 * MS))[2:]

    assert [entry.name for entry in entries] == ["early", "request"]


def test_a_trigger_without_a_span_lists_that_moment(rig: RecordingRig) -> None:
    """A manual trigger has the requests of its moment."""
    request(rig, "over", 0, 100)
    request(rig, "there", 0, 200)
    cause = cause_of(rig.ended.spans[0], "manual", trace_id="", span_id="", time_ns=150 * MS)

    entries = trace_of(incident_of(rig, causes=[cause], opened_ns=150 * MS))[2:]

    assert [entry.name for entry in entries] == ["there"]


def test_the_request_lane_is_bounded(rig: RecordingRig) -> None:
    """Of very many requests those are listed that were there longest; the number says the rest."""
    for number in range(300):
        request(rig, f"r{number}", 100, 101 + number)
    trigger = rig.ended.spans[-1]

    spans = trace_of(incident_of(rig, causes=[cause_of(trigger)]))

    assert texts(spans[1])["flight_recorder.requests"] == 300
    assert len(texts(spans[1])["flight_recorder.requests.not_listed"]) == 10
    assert {span.name for span in spans[2:]} == {
        f"r{number}" for number in range(300 - MOST_REQUESTS, 300)
    }
    assert sum(len(span.links) for span in spans) <= 128
    assert len(spans) <= 128


def test_a_request_that_a_finding_names_is_listed(rig: RecordingRig) -> None:
    """However short it was; the others are counted by their names."""
    request(rig, "culprit", 150, 151)
    context = rig.ended.spans[0].get_span_context()
    assert context is not None
    for _ in range(MOST_REQUESTS + 5):
        request(rig, "GET /victim", 100, 200)
    finding = Finding(rule="r", summary="s", evidence={"trace_id": f"{context.trace_id:032x}"})
    cause = cause_of(rig.ended.spans[-1])

    lane, *entries = trace_of(incident_of(rig, causes=[cause], findings=[finding]))[1:]

    assert "culprit" in {entry.name for entry in entries}
    assert texts(lane)["flight_recorder.requests.not_listed"] == ["6 GET /victim"]


def test_nothing_in_flight_makes_no_lane(rig: RecordingRig) -> None:
    """An incident of an idle process has its root alone."""
    assert [span.name for span in trace_of(incident_of(rig))] == ["incident: snapshot"]


def test_lanes_are_added_in_their_order(rig: RecordingRig) -> None:
    """The n-th starts n microseconds later, so that Jaeger keeps the order."""

    def lane(name: str) -> LaneBuilder:
        event = Event("moment", {}, 5)
        return lambda material: Lane(name=name, span_kind="pause", events=[event])

    root, *lanes = trace_of(incident_of(rig, opened_ns=MS), [lane("b"), lane("a"), lane("c")])

    assert [span.name for span in lanes] == ["lane: b", "lane: a", "lane: c"]
    start = root.start_time or 0
    assert [(span.start_time or 0) - start for span in lanes] == [1000, 2000, 3000]
    assert [event.name for event in lanes[0].events] == ["moment"]


def test_the_whole_trace_is_bounded(rig: RecordingRig) -> None:
    """At most 500 spans and 128 links, whatever the lanes want; the first lane comes first."""

    def greedy(material: LaneMaterial) -> Lane:
        span = LaneSpan(name="x", start_ns=1, end_ns=2, links=[link_to(1, 2, "request")] * 3)
        return Lane(name="greedy", span_kind="pause", spans=[span] * 400)

    spans = trace_of(incident_of(rig, opened_ns=CLOSED_NS), [greedy, greedy])

    assert len(spans) == 500
    assert sum(len(span.links) for span in spans) == 128


def test_others_can_run_while_runtime_events_are_read(rig: RecordingRig) -> None:
    """A chatty logger fills its lane with thousands of them."""
    for number in range(500):
        rig.session.runtime.record(RuntimeEvent("logs", "log record", number, number))
    breaths: list[None] = []

    found = events_by_source(incident_of(rig).window, lambda: breaths.append(None))

    assert len(found["logs"]) == len(breaths) == 500
