"""Rescued spans look to a backend as the SDK's own exporter would have sent them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace.span import TraceState

from otel_flight.delivery.otlp.derived_ids import derived_span_id
from otel_flight.delivery.otlp.origins import SpanOrigins
from otel_flight.delivery.otlp.spans import RecordedSpan, SpanBuilder
from otel_flight.incidents.incident import Incident
from tests.support.incidents.rig_incidents import CLOSED_NS, INCIDENT_ID, cause_of, incident_of
from tests.support.receivers.otlp_messages import without_stamps
from tests.support.rigs.recording_rig import RecordingRig

REMOTE = SpanContext(
    0xABCDEF0123456789ABCDEF0123456789,
    0x1234,
    is_remote=True,
    trace_flags=TraceFlags(TraceFlags.SAMPLED),
    trace_state=TraceState([("vendor", "x:1"), ("other", "y")]),
)
LOCAL = SpanContext(0x1, 0x2, is_remote=False)


@pytest.fixture
def rig(own_environment: Path) -> Iterator[RecordingRig]:
    """A ring that is recorded into."""
    with RecordingRig(own_environment) as rig:
        yield rig


def built(incident: Incident, *, is_standalone: bool = False) -> list[RecordedSpan]:
    """Return the incident's spans as they go out."""
    manifest = incident.manifest
    builder = SpanBuilder(manifest, SpanOrigins(manifest), is_standalone=is_standalone)
    return [builder.build(found) for found in incident.window.spans()]


def only(incident: Incident) -> RecordedSpan:
    """Return the incident's only span as it goes out."""
    [span] = built(incident)
    return span


def wire(spans: list[Any]) -> dict[bytes, tuple[bytes, ...]]:
    """Return by span id what the official encoder sends of spans, our stamps taken off."""
    sent: dict[bytes, tuple[bytes, ...]] = {}
    for group in encode_spans(spans).resource_spans:
        for scoped in group.scope_spans:
            for span in scoped.spans:
                assert span.span_id not in sent
                sent[span.span_id] = (
                    group.resource.SerializeToString(deterministic=True),
                    group.schema_url.encode(),
                    scoped.scope.SerializeToString(deterministic=True),
                    scoped.schema_url.encode(),
                    without_stamps(span).SerializeToString(deterministic=True),
                )
    return sent


def provider_of(rig: RecordingRig, resource: Resource, limits: SpanLimits) -> TracerProvider:
    """Return another provider whose spans go into the same ring."""
    provider = TracerProvider(resource=resource, span_limits=limits, shutdown_on_exit=False)
    provider.add_span_processor(rig.processor)
    provider.add_span_processor(rig.ended)
    return provider


def make_every_kind_of_span(provider: TracerProvider) -> None:
    """Record spans that together use everything a span can have."""
    tracer = provider.get_tracer("scope", "1.0", "https://example.org/scope", {"team": "a"})
    bare = provider.get_tracer("")
    remote = set_span_in_context(NonRecordingSpan(REMOTE))
    for kind in SpanKind:
        tracer.start_span("kind", remote, kind).end()
    root = tracer.start_span("root", start_time=1)
    root.set_attributes(
        {
            "text": "größe ✓\n",
            "empty": "",
            "lowest": -(1 << 63),
            "highest": (1 << 63) - 1,
            "float": 0.1,
            "infinite": float("inf"),
            "bool": True,
            "texts": ("a", "b"),
            "ints": [1, -2],
            "floats": (1.5, 2.5),
            "bools": (True, False),
            "nothing": (),
            "with none": ("a", None),
        }
    )
    links = [Link(REMOTE, {"why": "batch", "more": 1, "most": 2}), Link(LOCAL)]
    child = bare.start_span("child", set_span_in_context(root), links=links)
    for number in range(6):
        child.add_event(f"event {number}", {f"key {n}": n for n in range(number)}, number)
        child.set_attribute(f"attribute {number}", number)
    child.record_exception(ValueError("bad"))
    child.set_status(Status(StatusCode.ERROR, "refused"))
    child.end()
    quiet = tracer.start_span("quiet")
    quiet.set_status(StatusCode.ERROR)
    quiet.end()
    root.set_status(StatusCode.OK)
    root.end(end_time=5)


def test_every_span_equals_what_the_sdk_would_have_sent(rig: RecordingRig) -> None:
    """Ids, times, attributes, events, links, status, scope, resource and what was dropped."""
    originals = rig.ended.spans
    strict = SpanLimits(max_attributes=4, max_events=3, max_links=1, max_link_attributes=2)
    make_every_kind_of_span(
        provider_of(rig, Resource({"service.name": "a", "host.name": "h"}), SpanLimits())
    )
    make_every_kind_of_span(
        provider_of(
            rig, Resource({"host.id": "1", "numbers": (1, 2)}, "https://example.org/r"), strict
        )
    )

    rescued = built(incident_of(rig))

    assert len(rescued) == len(originals) == 16
    assert wire(rescued) == wire(originals)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCALARS = st.one_of(
    TEXTS, st.booleans(), st.floats(allow_nan=False), st.integers(-(1 << 63), (1 << 63) - 1)
)
VALUES = st.one_of(
    SCALARS,
    st.lists(TEXTS, max_size=4),
    st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=4),
)
ATTRIBUTES = st.dictionaries(TEXTS.filter(bool), VALUES, max_size=6)


@settings(max_examples=60)
@given(attributes=ATTRIBUTES, event=ATTRIBUTES, link=ATTRIBUTES, name=TEXTS)
def test_any_attributes_survive(
    tmp_path_factory: pytest.TempPathFactory,
    attributes: dict[str, Any],
    event: dict[str, Any],
    link: dict[str, Any],
    name: str,
) -> None:
    """Whatever the SDK accepts as an attribute arrives as the SDK would have sent it."""
    with RecordingRig(tmp_path_factory.mktemp("ring"), redact=False) as rig:
        originals = rig.collect_ended()
        span = rig.tracer.start_span(name, attributes=attributes, links=[Link(REMOTE, link)])
        span.add_event(name, event)
        span.end()

        incident = incident_of(rig, process={})

        assert wire(list(built(incident))) == wire(list(originals))


def test_a_span_says_which_incident_it_came_with(rig: RecordingRig) -> None:
    """Id and reason of the incident are on every span, the trigger's name on those that fired."""
    rig.collect_ended()
    for name in ("quiet", "first", "second"):
        rig.tracer.start_span(name).end()
    _, first, second = rig.ended.spans
    causes = [cause_of(first), cause_of(second, "slow_root", reason="slow local root")]

    spans = built(incident_of(rig, causes=causes))

    stamps = {span.name: dict(span.attributes or {}) for span in spans}
    common = {
        "flight_recorder.incident.id": INCIDENT_ID,
        "flight_recorder.incident.reason": "error span",
    }
    assert stamps == {
        "quiet": common,
        "first": {**common, "flight_recorder.trigger": "error_span"},
        "second": {**common, "flight_recorder.trigger": "slow_root"},
    }


def test_a_snapshot_needs_no_cause(rig: RecordingRig) -> None:
    """Spans of an incident without a cause have a reason as well."""
    rig.tracer.start_span("work").end()

    span = only(incident_of(rig))

    assert dict(span.attributes or {})["flight_recorder.incident.reason"] == "snapshot"


def test_integers_beyond_otlp_become_text(rig: RecordingRig) -> None:
    """Unsigned 64-bit integers go out as decimal text, an array of them as a whole, counted."""
    span = rig.tracer.start_span("work", attributes={"hash": (1 << 64) - 1, "few": 7})
    span.add_event("seen", {"hashes": [1, 1 << 63]})
    span.end()

    rescued = only(incident_of(rig))

    attributes = dict(rescued.attributes or {})
    assert attributes["hash"] == "18446744073709551615"
    assert attributes["few"] == 7
    assert rescued.events[0].attributes == {"hashes": ["1", "9223372036854775808"]}
    assert attributes["flight_recorder.converted_values"] == 3
    assert len(encode_spans([rescued]).resource_spans[0].scope_spans[0].spans[0].attributes) == 5


def test_what_recording_changed_is_marked(own_environment: Path) -> None:
    """Conversions and cuts of the recorder show on the span they happened to."""
    with RecordingRig(own_environment, record_bytes=1024) as rig:
        rig.tracer.start_span("work", attributes={"text": "x" * 5000, "big": 1 << 70}).end()

        attributes = dict(only(incident_of(rig)).attributes or {})

    assert attributes["flight_recorder.converted_values"] == 1
    assert int(str(attributes["flight_recorder.cut_bytes"])) > 4000


def test_an_open_span_ends_when_the_incident_closed(rig: RecordingRig) -> None:
    """It goes out under its own id, marked as unfinished."""
    span = rig.tracer.start_span("hung")

    rescued = only(incident_of(rig))

    assert rescued.context == span.get_span_context()
    assert rescued.end_time == CLOSED_NS
    assert dict(rescued.attributes or {})["flight_recorder.unfinished"] is True
    span.end()


def test_a_span_sent_unfinished_before_ends_as_its_own_child(rig: RecordingRig) -> None:
    """No id is sent twice: the end of the span has a new one, the same each time."""
    original = rig.tracer.start_span("hung")
    original.end()
    context = original.get_span_context()
    incident = incident_of(rig, unfinished_before=[f"{context.span_id:016x}"])

    rescued = only(incident)

    assert rescued.context.trace_id == context.trace_id
    assert rescued.context.span_id == derived_span_id(
        INCIDENT_ID, f"finished {context.span_id:016x}"
    )
    assert rescued.parent is not None
    assert rescued.parent.span_id == context.span_id
    assert dict(rescued.attributes or {})["flight_recorder.kind"] == "finished"


def test_a_file_that_stands_alone_keeps_every_id(rig: RecordingRig) -> None:
    """What an earlier incident sent to a backend does not matter to a copy on disk."""
    original = rig.tracer.start_span("hung")
    original.end()
    context = original.get_span_context()
    incident = incident_of(rig, unfinished_before=[f"{context.span_id:016x}"])

    [rescued] = built(incident, is_standalone=True)

    assert rescued.context.span_id == context.span_id
    assert "flight_recorder.kind" not in dict(rescued.attributes or {})


@pytest.mark.parametrize(
    ("known", "expected"),
    [({}, "web-1"), ({"host.name": "own"}, "own"), ({"host.id": "i-1"}, None)],
)
def test_the_resource_names_a_host(
    rig: RecordingRig, known: dict[str, str], expected: str | None
) -> None:
    """The process's host name is added where the resource names none."""
    provider = provider_of(rig, Resource({"service.name": "a", **known}), SpanLimits())
    provider.get_tracer("t").start_span("work").end()

    span = only(incident_of(rig))

    assert span.resource.attributes.get("host.name") == expected


def test_spans_of_equal_origin_share_its_objects(rig: RecordingRig) -> None:
    """Also over several segments, and for providers with equal resources: the encoder groups."""
    for _ in range(2):
        provider = provider_of(rig, Resource({"service.name": "same"}), SpanLimits())
        for _ in range(400):
            provider.get_tracer("t", "1").start_span("work", attributes={"pad": "x" * 100}).end()

    spans = built(incident_of(rig))

    assert len(spans) == 800
    assert len({id(span.resource) for span in spans}) == 1
    assert len({id(span.instrumentation_scope) for span in spans}) == 1
    assert len(encode_spans(spans).resource_spans) == 1


def test_impossible_times_and_kinds_do_not_stop_the_encoder() -> None:
    """Times before the epoch and unknown kinds would make the official encoder refuse the lot."""
    span = RecordedSpan(
        "odd",
        REMOTE,
        parent=None,
        resource=Resource.get_empty(),
        scope=None,
        attributes={},
        start_ns=-5,
        end_ns=1 << 70,
    )

    assert (span.start_time, span.end_time) == (0, (1 << 64) - 1)
    assert isinstance(span, ReadableSpan)
    assert encode_spans([span]).resource_spans
