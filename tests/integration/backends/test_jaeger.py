"""What on-call finds in a real Jaeger after an incident."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

from tests.backends.backend_process import needs_backends
from tests.backends.scenario import (
    INCIDENT_ID,
    KIND,
    LINK,
    UNFINISHED,
    Scenario,
    application_spans,
    are_in_one_order,
    attributes,
    key,
    of_kind,
    run_scenario,
    unstamped,
)
from tests.support.backends.jaeger_process import JaegerProcess
from tests.support.receivers.otlp_messages import ReceivedSpan

pytestmark = [*needs_backends("jaeger"), pytest.mark.timeout(120)]


@pytest.fixture
def jaeger(tmp_path: Path) -> Iterator[JaegerProcess]:
    """Run a Jaeger of this test's own."""
    with JaegerProcess(tmp_path / "jaeger") as process:
        yield process


def happen(what: str, jaeger: JaegerProcess, tmp_path: Path, protocol: str = "grpc") -> Scenario:
    """Let something happen in the shop, all its spans going to Jaeger."""
    endpoint = jaeger.grpc_endpoint if protocol == "grpc" else jaeger.http_endpoint
    return run_scenario(
        what,
        tmp_path / "shop",
        {
            "OTEL_FLIGHT_ENDPOINT": endpoint,
            "OTEL_FLIGHT_PROTOCOL": protocol,
            "SHOP_EXPORTS_TO": jaeger.grpc_endpoint,
        },
    )


def all_spans(jaeger: JaegerProcess, scenario: Scenario) -> list[ReceivedSpan]:
    """Return every span of the service as Jaeger stores it, copies included."""
    trace_ids = [found["traceID"] for found in jaeger.find_traces(scenario.service)]
    return [span for trace_id in trace_ids for span in jaeger.stored_spans(trace_id)]


def find_incidents(jaeger: JaegerProcess, scenario: Scenario) -> list[dict[str, Any]]:
    """Return the incident traces as a search by tag finds them, the oldest first."""
    found = jaeger.find_traces(scenario.service, tags={KIND: "incident"})
    return sorted(found, key=lambda trace: min(span["startTime"] for span in trace["spans"]))


def root_of(trace: dict[str, Any]) -> dict[str, Any]:
    """Return the span without a parent; its links are references of another type."""
    (root,) = [span for span in trace["spans"] if parent_of(span) is None]
    return dict(root)


def parent_of(span: dict[str, Any]) -> str | None:
    """Return the id of a span's parent."""
    parents = [each["spanID"] for each in span["references"] if each["refType"] == "CHILD_OF"]
    return parents[0] if parents else None


def tags(span: dict[str, Any]) -> dict[str, Any]:
    """Return a span's tags as Jaeger's pages show them."""
    return {tag["key"]: tag["value"] for tag in span["tags"]}


def test_a_span_sent_twice_is_seen_twice(jaeger: JaegerProcess) -> None:
    """What the other tests count with does count copies, which Jaeger's own pages hide."""
    provider = TracerProvider(shutdown_on_exit=False)
    span = provider.get_tracer("test").start_span("twice")
    span.end()
    assert isinstance(span, ReadableSpan)
    exporter = OTLPSpanExporter(endpoint=f"{jaeger.http_endpoint}/v1/traces")
    for _ in range(2):
        exporter.export([span])
    exporter.shutdown()  # type: ignore[no-untyped-call]

    trace_id = f"{span.get_span_context().trace_id:032x}"
    shown = jaeger.trace(trace_id)

    assert len(jaeger.stored_spans(trace_id)) == 2
    assert shown is not None
    assert len(shown["spans"]) == 1


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_every_span_of_the_window_is_there_once(
    jaeger: JaegerProcess, tmp_path: Path, protocol: str
) -> None:
    """Jaeger holds each ended span once and equal to what the SDK would have exported."""
    scenario = happen("everything", jaeger, tmp_path, protocol)

    found = application_spans(all_spans(jaeger, scenario))

    ended = [item for item in found if UNFINISHED not in attributes(item)]
    expected = {key(item): item for item in scenario.ended}
    assert len(expected) == 307
    assert sorted(map(key, ended)) == sorted(expected)
    for item in ended:
        original = expected[key(item)]
        assert unstamped(item) == unstamped(original)
        assert item.scope == original.scope
        assert item.resource == original.resource
    (incident,) = scenario.incidents
    assert {attributes(item)[INCIDENT_ID] for item in found} == {incident.manifest.incident_id}
    in_file = [record.record for record in incident.window.spans()]
    assert sorted(map(key, found)) == sorted(
        (f"{record.trace_id:032x}", f"{record.span_id:016x}") for record in in_file
    )


def test_unfinished_spans_end_where_the_incident_closed(
    jaeger: JaegerProcess, tmp_path: Path
) -> None:
    """Spans still open are there once, with their parents, marked, ending with the incident."""
    scenario = happen("everything", jaeger, tmp_path)

    found = application_spans(all_spans(jaeger, scenario))

    unfinished = [item for item in found if attributes(item).get(UNFINISHED) is True]
    originals = {key(item): unstamped(item) for item in scenario.open}
    assert len(originals) == 2
    assert sorted(map(key, unfinished)) == sorted(originals)
    for item in unfinished:
        span = unstamped(item)
        assert span.end_time_unix_nano == scenario.incidents[0].manifest.closed_ns
        span.ClearField("end_time_unix_nano")
        assert span == originals[key(item)]


def test_the_incident_is_found_by_tag(jaeger: JaegerProcess, tmp_path: Path) -> None:
    """One search lists incidents and nothing else; the root says what happened."""
    scenario = happen("everything", jaeger, tmp_path)

    (trace,) = find_incidents(jaeger, scenario)

    root = root_of(trace)
    (incident,) = scenario.incidents
    assert root["operationName"] == "incident: error span GET /broken"
    assert tags(root)[INCIDENT_ID] == incident.manifest.incident_id
    assert tags(root)["error"] is True
    assert not root.get("warnings")
    assert [log["fields"][0]["value"] for log in root["logs"]] == ["error span"]


def test_lanes_have_a_stable_order(jaeger: JaegerProcess, tmp_path: Path) -> None:
    """No two lanes start in the same microsecond, and all incidents have theirs in one order."""
    scenario = happen("overlapping", jaeger, tmp_path)

    orders = []
    for trace in find_incidents(jaeger, scenario):
        root = root_of(trace)
        lanes = [span for span in trace["spans"] if tags(span)[KIND] == "lane"]
        starts = [span["startTime"] for span in lanes]
        assert lanes
        assert len(set(starts)) == len(starts)
        assert min(starts) > root["startTime"]
        assert {parent_of(span) for span in lanes} == {root["spanID"]}
        lanes.sort(key=lambda span: span["startTime"])
        orders.append([span["operationName"] for span in lanes])
    assert len(orders) == 2
    assert are_in_one_order(*orders)
    assert [order[-1] for order in orders] == ["lane: requests"] * 2


def test_the_requests_in_flight_are_listed_with_links(
    jaeger: JaegerProcess, tmp_path: Path
) -> None:
    """The lane of requests has each one that was in flight, linked, the one that fired marked."""
    scenario = happen("everything", jaeger, tmp_path)

    (trace,) = find_incidents(jaeger, scenario)
    entries = of_kind(jaeger.stored_spans(trace["traceID"]), "index")

    assert sorted(item.span.name for item in entries) == [
        "GET /broken",
        *["GET /other"] * 5,
        "GET /stream",
    ]
    known = {key(item) for item in [*scenario.ended, *scenario.open]}
    for item in entries:
        (link,) = item.span.links
        assert (link.trace_id.hex(), link.span_id.hex()) in known
    (fired,) = [item for item in entries if "flight_recorder.is_trigger" in attributes(item)]
    assert fired.span.name == "GET /broken"


def test_from_the_incident_to_the_trigger_and_back(jaeger: JaegerProcess, tmp_path: Path) -> None:
    """The root's link opens the span that fired, and that span's incident id finds the root."""
    scenario = happen("everything", jaeger, tmp_path)
    (trace,) = find_incidents(jaeger, scenario)
    (root,) = of_kind(jaeger.stored_spans(trace["traceID"]), "incident")

    (link,) = root.span.links
    followed = jaeger.trace(link.trace_id.hex())

    assert [each.value.string_value for each in link.attributes if each.key == LINK] == ["trigger"]
    assert followed is not None
    (fired,) = [span for span in followed["spans"] if span["spanID"] == link.span_id.hex()]
    assert fired["operationName"] == "GET /broken"
    assert tags(fired)["flight_recorder.trigger"] == "error_span"
    back = jaeger.find_traces(
        scenario.service, tags={INCIDENT_ID: tags(fired)[INCIDENT_ID], KIND: "incident"}
    )
    assert [found["traceID"] for found in back] == [trace["traceID"]]


def test_unsampled_spans_are_rescued_beside_the_sampled_ones(
    jaeger: JaegerProcess, tmp_path: Path
) -> None:
    """Under a 1 % sampler everything is there once, whichever way it came."""
    scenario = happen("sampled", jaeger, tmp_path)

    found = application_spans(all_spans(jaeger, scenario))

    assert sorted(map(key, found)) == sorted(map(key, scenario.ended))
    assert len(found) == 1207
    sampled = {key(item) for item in found if INCIDENT_ID not in attributes(item)}
    in_file = [item.record for item in scenario.incidents[0].window.spans()]
    assert sampled
    assert sampled == {
        (f"{record.trace_id:032x}", f"{record.span_id:016x}")
        for record in in_file
        if record.is_sampled
    }


def test_overlapping_incidents_share_no_span(jaeger: JaegerProcess, tmp_path: Path) -> None:
    """A span that both windows hold is sent once; one that was open gets its end as a child."""
    scenario = happen("overlapping", jaeger, tmp_path)
    first, second = (incident.manifest.incident_id for incident in scenario.incidents)

    spans = all_spans(jaeger, scenario)

    keys = [key(item) for item in spans]
    assert len(keys) == len(set(keys))
    assert {key(item) for item in application_spans(spans)} == {
        key(item) for item in scenario.ended
    }
    (unfinished,) = [item for item in application_spans(spans) if UNFINISHED in attributes(item)]
    (finished,) = of_kind(spans, "finished")
    assert unfinished.span.name == finished.span.name == "GET /stream"
    assert attributes(unfinished)[INCIDENT_ID] == first
    assert attributes(finished)[INCIDENT_ID] == second
    assert attributes(finished)["bytes"] == 12345
    assert finished.span.trace_id == unfinished.span.trace_id
    assert finished.span.parent_span_id == unfinished.span.span_id


def test_an_incident_links_to_the_one_before(jaeger: JaegerProcess, tmp_path: Path) -> None:
    """Of two overlapping incidents the second leads to the first, which has the older spans."""
    scenario = happen("overlapping", jaeger, tmp_path)

    earlier, later = find_incidents(jaeger, scenario)
    # The windows of both begin with the process; they end in the order they happened.
    if "GET /worse" in root_of(earlier)["operationName"]:
        earlier, later = later, earlier

    (root,) = of_kind(jaeger.stored_spans(later["traceID"]), "incident")
    previous = [
        link
        for link in root.span.links
        if any(each.value.string_value == "previous" for each in link.attributes)
    ]
    assert [link.trace_id.hex() for link in previous] == [earlier["traceID"]]
