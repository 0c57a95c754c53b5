"""A span that fired says what was found, and leads to the incident; no other span does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan

from otel_flight.delivery.incident_trace.span_index import SpanIndex
from otel_flight.delivery.otlp.cause_notes import CauseNotes
from otel_flight.delivery.pacing import Pacer
from otel_flight.delivery.span_chunks import SpanChunks
from otel_flight.ground.guard import Guard
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.manifest import Finding
from tests.support.incidents.rig_incidents import cause_of, incident_of
from tests.support.rigs.recording_rig import RecordingRig

PREFIX = "flight_recorder.finding."
KIND = "flight_recorder.kind"


@pytest.fixture
def rig(own_environment: Path) -> Iterator[RecordingRig]:
    """A ring that is recorded into."""
    with RecordingRig(own_environment) as rig:
        rig.collect_ended()
        yield rig


def sent(incident: Incident) -> dict[str, ReadableSpan]:
    """Return what goes out, by name, but for the entries of the lane that lists requests."""
    chunks = SpanChunks(incident, Pacer(1.0, sleep=lambda seconds: None), Guard())
    spans = [span for chunk in chunks for span in chunk]
    return {span.name: span for span in spans if (span.attributes or {}).get(KIND) != "index"}


def findings_of(span: ReadableSpan) -> dict[str, object]:
    """Return what a span says was found."""
    return {
        key.removeprefix(PREFIX): value
        for key, value in (span.attributes or {}).items()
        if key.startswith(PREFIX)
    }


def test_each_cause_has_its_findings(rig: RecordingRig) -> None:
    """Those about the first cause are on its span, those about another one on that one's."""
    for name in ("first", "second", "healthy"):
        rig.tracer.start_span(name).end()
    first, second = (cause_of(span) for span in rig.ended.spans[:2])
    findings = [
        Finding(rule="a", summary="About the first."),
        Finding(rule="b", summary="About the second.", about=second.trace_id),
    ]

    spans = sent(incident_of(rig, causes=[first, second], findings=findings))

    assert findings_of(spans["first"]) == {"1": "About the first.", "1.rule": "a"}
    assert findings_of(spans["second"]) == {"1": "About the second.", "1.rule": "b"}
    assert findings_of(spans["healthy"]) == {}


def test_a_cause_leads_to_the_incident(rig: RecordingRig) -> None:
    """Its last link is to the root of the incident's trace; its own links stay before that."""
    rig.tracer.start_span("bad").end()
    rig.tracer.start_span("healthy").end()
    incident = incident_of(rig, causes=[cause_of(rig.ended.spans[0])])

    spans = sent(incident)

    root = spans[f"incident: {incident.manifest.title}"].get_span_context()
    assert root is not None
    (link,) = spans["bad"].links
    assert (link.context.trace_id, link.context.span_id) == (root.trace_id, root.span_id)
    assert dict(link.attributes or {}) == {"flight_recorder.link": "incident"}
    assert not spans["healthy"].links


def test_one_trace_has_its_findings_once(rig: RecordingRig) -> None:
    """Of two spans of one trace that fired, the first cause has them; both lead to the incident."""
    with rig.tracer.start_as_current_span("parent"):
        rig.tracer.start_span("child").end()
    child, parent = (cause_of(span) for span in rig.ended.spans)
    findings = [Finding(rule="a", summary="It was slow.")]

    spans = sent(incident_of(rig, causes=[parent, child], findings=findings))

    assert findings_of(spans["parent"]) == {"1": "It was slow.", "1.rule": "a"}
    assert findings_of(spans["child"]) == {}
    assert len(spans["child"].links) == 1


def test_the_room_that_notes_take_is_known(rig: RecordingRig) -> None:
    """A chunk must not grow over what receivers take: no estimate is below what it is."""
    rig.tracer.start_span("bad").end()
    findings = [Finding(rule="rule", summary="\u00e4" * 5000) for _ in range(30)]
    incident = incident_of(rig, causes=[cause_of(rig.ended.spans[0])], findings=findings)
    growth = CauseNotes(incident.manifest).most_bytes()

    spans = sent(incident)

    assert len(findings_of(spans["bad"])) >= 5
    index = SpanIndex(incident.window, lambda: None, growth)
    assert encode_spans([spans["bad"]]).ByteSize() <= index.most_bytes(0)
