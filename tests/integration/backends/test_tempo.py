"""What on-call finds in a real Tempo after an incident."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from tests.backends.backend_process import needs_backends
from tests.backends.scenario import (
    INCIDENT_ID,
    LINK,
    UNFINISHED,
    Scenario,
    application_spans,
    are_in_one_order,
    attributes,
    key,
    of_kind,
    run_scenario,
)
from tests.backends.span_store import kept_by_tempo
from tests.support.backends.tempo_process import TempoProcess
from tests.support.receivers.otlp_messages import ReceivedSpan

pytestmark = [*needs_backends("tempo"), pytest.mark.timeout(180)]

INCIDENTS = '{ span.flight_recorder.kind = "incident" }'


@pytest.fixture
def tempo(tmp_path: Path) -> Iterator[TempoProcess]:
    """Run a Tempo of this test's own."""
    with TempoProcess(tmp_path / "tempo") as process:
        yield process


def happen(what: str, tempo: TempoProcess, tmp_path: Path, protocol: str = "grpc") -> Scenario:
    """Let something happen in the shop, all its spans going to Tempo."""
    endpoint = tempo.grpc_endpoint if protocol == "grpc" else tempo.http_endpoint
    return run_scenario(
        what,
        tmp_path / "shop",
        {
            "OTEL_FLIGHT_ENDPOINT": endpoint,
            "OTEL_FLIGHT_PROTOCOL": protocol,
            "SHOP_EXPORTS_TO": tempo.grpc_endpoint,
        },
    )


def search(tempo: TempoProcess, traceql: str, count: int) -> list[dict[str, Any]]:
    """Return the traces a query finds as soon as they are as many, which takes an idle period."""

    def as_many() -> list[dict[str, Any]] | None:
        found = tempo.search(traceql)
        return found if len(found) >= count else None

    found = tempo.wait_for(f"fewer than {count} traces fit {traceql}", as_many, 60.0)
    assert found is not None
    assert len(found) == count
    return found


def spans_of_traces(tempo: TempoProcess, trace_ids: list[str]) -> list[ReceivedSpan]:
    """Return the spans of traces that are all there, in no order.

    A trace is nowhere for the moment in which Tempo moves it from its memory to a block.
    """

    def spans_of(trace_id: str) -> list[ReceivedSpan]:
        is_missing = f"there is no trace {trace_id}"
        return tempo.wait_for(is_missing, lambda: tempo.stored_spans(trace_id), 10.0)

    return [span for trace_id in trace_ids for span in spans_of(trace_id)]


def by_name(resource: Resource) -> dict[str, AnyValue]:
    """Return the attributes of a resource."""
    return {each.key: each.value for each in resource.attributes}


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_every_span_of_the_window_is_there_once(
    tempo: TempoProcess, tmp_path: Path, protocol: str
) -> None:
    """Tempo took each ended span once and holds what the SDK would have exported."""
    scenario = happen("everything", tempo, tmp_path, protocol)

    found = application_spans(spans_of_traces(tempo, scenario.trace_ids))

    (incident_trace,) = search(tempo, INCIDENTS, 1)
    own = spans_of_traces(tempo, [incident_trace["traceID"]])
    # Counted as they came in, since a query may hide the second copy of a span.
    assert tempo.received_spans() == len(found) + len(own)
    expected = {key(item): item for item in scenario.ended}
    ended = [item for item in found if UNFINISHED not in attributes(item)]
    assert len(expected) == 307
    assert sorted(map(key, ended)) == sorted(expected)
    for item in ended:
        original = expected[key(item)]
        assert kept_by_tempo(item) == kept_by_tempo(original)
        assert item.scope == original.scope
        # In a block they are in an order of its own.
        assert by_name(item.resource) == by_name(original.resource)


def test_unfinished_spans_end_where_the_incident_closed(
    tempo: TempoProcess, tmp_path: Path
) -> None:
    """A TraceQL query finds the spans still open; they are marked, and end with the incident."""
    scenario = happen("everything", tempo, tmp_path)

    # In the trace of the stream, and where the incident lists it.
    traces = search(tempo, "{ span.flight_recorder.unfinished = true }", 2)

    (stream,) = [each for each in traces if each["rootTraceName"] == "GET /stream"]
    found = spans_of_traces(tempo, [stream["traceID"]])
    originals = {key(item): kept_by_tempo(item) for item in scenario.open}
    assert sorted(map(key, found)) == sorted(originals)
    for item in found:
        assert attributes(item)[UNFINISHED] is True
        span = kept_by_tempo(item)
        assert span.end_time_unix_nano == scenario.incidents[0].manifest.closed_ns
        span.ClearField("end_time_unix_nano")
        assert span == originals[key(item)]


def test_the_incident_is_found_by_traceql(tempo: TempoProcess, tmp_path: Path) -> None:
    """One query lists incidents and nothing else, the result naming what happened and where."""
    scenario = happen("everything", tempo, tmp_path)

    (trace,) = search(tempo, INCIDENTS, 1)

    assert trace["rootTraceName"] == "incident: error span GET /broken"
    assert trace["rootServiceName"] == scenario.service
    (root,) = of_kind(spans_of_traces(tempo, [trace["traceID"]]), "incident")
    (incident,) = scenario.incidents
    assert attributes(root)[INCIDENT_ID] == incident.manifest.incident_id
    assert not root.span.parent_span_id


def test_lanes_have_a_stable_order(tempo: TempoProcess, tmp_path: Path) -> None:
    """No two lanes start in the same microsecond, and all incidents have theirs in one order."""
    happen("overlapping", tempo, tmp_path)

    orders = []
    for trace in search(tempo, INCIDENTS, 2):
        spans = spans_of_traces(tempo, [trace["traceID"]])
        (root,) = of_kind(spans, "incident")
        lanes = of_kind(spans, "lane")
        starts = [item.span.start_time_unix_nano // 1000 for item in lanes]
        assert lanes
        assert len(set(starts)) == len(starts)
        assert min(starts) > root.span.start_time_unix_nano // 1000
        assert {item.span.parent_span_id for item in lanes} == {root.span.span_id}
        lanes.sort(key=lambda item: item.span.start_time_unix_nano)
        orders.append([item.span.name for item in lanes])
    assert are_in_one_order(*orders)
    assert [order[-1] for order in orders] == ["lane: requests"] * 2


def test_from_the_incident_to_the_trigger_and_back(tempo: TempoProcess, tmp_path: Path) -> None:
    """The root's link opens the span that fired, and that span's incident id finds the root."""
    happen("everything", tempo, tmp_path)
    (trace,) = search(tempo, INCIDENTS, 1)
    (root,) = of_kind(spans_of_traces(tempo, [trace["traceID"]]), "incident")

    (link,) = root.span.links
    followed = spans_of_traces(tempo, [link.trace_id.hex()])

    assert [each.value.string_value for each in link.attributes if each.key == LINK] == ["trigger"]
    (fired,) = [item for item in followed if item.span.span_id == link.span_id]
    assert fired.span.name == "GET /broken"
    assert attributes(fired)["flight_recorder.trigger"] == "error_span"
    incident_id = attributes(fired)[INCIDENT_ID]
    back = f'{{ span.{INCIDENT_ID} = "{incident_id}" && span.flight_recorder.kind = "incident" }}'
    assert [found["traceID"] for found in search(tempo, back, 1)] == [trace["traceID"]]


def test_unsampled_spans_are_rescued_beside_the_sampled_ones(
    tempo: TempoProcess, tmp_path: Path
) -> None:
    """Under a 1 % sampler everything is there once, whichever way it came."""
    scenario = happen("sampled", tempo, tmp_path)

    found = application_spans(spans_of_traces(tempo, scenario.trace_ids))

    (incident_trace,) = search(tempo, INCIDENTS, 1)
    own = spans_of_traces(tempo, [incident_trace["traceID"]])
    assert tempo.received_spans() == len(found) + len(own)
    assert len(found) == 1207
    assert sorted(map(key, found)) == sorted(map(key, scenario.ended))
    sampled = {key(item) for item in found if INCIDENT_ID not in attributes(item)}
    in_file = [item.record for item in scenario.incidents[0].window.spans()]
    assert sampled
    assert sampled == {
        (f"{record.trace_id:032x}", f"{record.span_id:016x}")
        for record in in_file
        if record.is_sampled
    }


def test_overlapping_incidents_share_no_span(tempo: TempoProcess, tmp_path: Path) -> None:
    """A span that both windows hold is sent once; one that was open gets its end as a child."""
    scenario = happen("overlapping", tempo, tmp_path)
    first, second = (incident.manifest.incident_id for incident in scenario.incidents)

    incidents = [trace["traceID"] for trace in search(tempo, INCIDENTS, 2)]
    spans = spans_of_traces(tempo, [*scenario.trace_ids, *incidents])

    assert tempo.received_spans() == len(spans)
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
    assert finished.span.parent_span_id == unfinished.span.span_id
