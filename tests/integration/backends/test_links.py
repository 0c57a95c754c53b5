"""Each link that `otel-flight show` prints finds in the real backend what it promises."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, TraceFlags

from otel_flight.incidents.incident import Incident
from otel_flight.report.model.backend_links import Whereabouts, backend_links
from tests.backends.backend_process import BackendFailedError, needs_backends
from tests.backends.scenario import (
    INCIDENT_ID,
    application_spans,
    attributes,
    key,
    of_kind,
    run_scenario,
)
from tests.support.backends.jaeger_process import JaegerProcess
from tests.support.backends.link_counterparts import (
    followed_in_grafana,
    followed_in_jaeger,
    marked_by_jaeger,
)
from tests.support.backends.tempo_process import TempoProcess
from tests.support.incidents.command_line import run

pytestmark = [*needs_backends("jaeger", "tempo"), pytest.mark.timeout(180)]

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture
def jaeger(tmp_path: Path) -> Iterator[JaegerProcess]:
    """Run a Jaeger of this test's own."""
    with JaegerProcess(tmp_path / "jaeger") as process:
        yield process


@pytest.fixture
def tempo(tmp_path: Path) -> Iterator[TempoProcess]:
    """Run a Tempo of this test's own."""
    with TempoProcess(tmp_path / "tempo") as process:
        yield process


def links_of(incident: Incident, **addresses: str) -> dict[str, dict[str, str]]:
    """Return the links as `show --json` prints them for an incident in the shop's spool."""
    options = [
        word for name, url in addresses.items() for word in (f"--{name.replace('_', '-')}", url)
    ]
    outcome = run("show", str(incident.path), "--json", *options)
    assert outcome.exit_code == 0
    links: dict[str, dict[str, str]] = outcome.json()["links"]
    return links


def span_keys(traces: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Return trace id and span id of each span of traces in Jaeger's own JSON."""
    return {(trace["traceID"], span["spanID"]) for trace in traces for span in trace["spans"]}


def _names(spans: list[dict[str, Any]]) -> set[str]:
    return {span["operationName"] for span in spans}


def test_jaegers_links(jaeger: JaegerProcess, tmp_path: Path) -> None:
    """One opens the trigger's trace at the span that fired, one the incident, one finds it all."""
    scenario = run_scenario(
        "everything", tmp_path / "shop", {"OTEL_FLIGHT_ENDPOINT": jaeger.grpc_endpoint}
    )
    (incident,) = scenario.incidents

    links = links_of(incident, jaeger_url=jaeger.query_url)["jaeger"]

    (trigger,) = followed_in_jaeger(jaeger, links["trigger"])
    assert "GET /broken" in _names(marked_by_jaeger(trigger, links["trigger"]))
    (trace,) = followed_in_jaeger(jaeger, links["incident"])
    opened = _names(marked_by_jaeger(trace, links["incident"]))
    # Events of its trace in the lanes of the runtime are opened as well, if there were any.
    assert {"incident: error span GET /broken", "GET /broken"} <= opened
    everything = span_keys(followed_in_jaeger(jaeger, links["spans"]))
    own = span_keys([trace])
    assert everything - own == {key(item) for item in [*scenario.ended, *scenario.open]}
    assert own < everything


def test_grafanas_links(tempo: TempoProcess, tmp_path: Path) -> None:
    """The same by way of Tempo, where a trace's id or a TraceQL query stands in the link."""
    scenario = run_scenario(
        "everything", tmp_path / "shop", {"OTEL_FLIGHT_ENDPOINT": tempo.grpc_endpoint}
    )
    (incident,) = scenario.incidents
    expected = {key(item) for item in [*scenario.ended, *scenario.open]}

    links = links_of(incident, grafana_url="http://grafana.example")["grafana"]

    def all_found() -> bool:
        found = followed_in_grafana(tempo, links["spans"])
        return {key(item) for item in application_spans(found)} == expected

    assert tempo.wait_for("the search does not find all spans", all_found, 60.0)
    cause = incident.manifest.causes[0]
    trigger = followed_in_grafana(tempo, links["trigger"])
    assert (cause.trace_id, cause.span_id) in {key(item) for item in trigger}
    (root,) = of_kind(followed_in_grafana(tempo, links["incident"]), "incident")
    assert attributes(root)[INCIDENT_ID] == incident.manifest.incident_id


def test_the_printed_traceql(tempo: TempoProcess, tmp_path: Path) -> None:
    """Each query finds the traces it names, and nothing of another incident."""
    scenario = run_scenario(
        "overlapping", tmp_path / "shop", {"OTEL_FLIGHT_ENDPOINT": tempo.grpc_endpoint}
    )
    first, second = scenario.incidents

    queries = links_of(second)["traceql"]

    def found(query: str) -> dict[str, dict[str, Any]]:
        traces = tempo.wait_for(f"nothing fits {query}", lambda: tempo.search(query))
        return {trace["traceID"]: trace for trace in traces}

    assert list(found(queries["trigger"])) == [second.manifest.causes[0].trace_id]
    (incident_trace,) = found(queries["incident"]).values()
    assert incident_trace["rootTraceName"] == "incident: error span GET /worse"
    of_second = found(queries["spans"])
    assert incident_trace["traceID"] in of_second
    assert first.manifest.causes[0].trace_id not in of_second


def test_every_query_of_the_page_is_understood(tempo: TempoProcess) -> None:
    """Tempo answers each TraceQL query of the how-to, and would say which it cannot read."""
    page = (DOCS / "how-to" / "open-in-tempo.md").read_text(encoding="utf-8")
    queries = re.findall(r"^\| `({ .+ })` \|", page, re.MULTILINE)

    for query in queries:
        assert tempo.search(query) == []

    assert len(queries) >= 7
    with pytest.raises(BackendFailedError, match="answered 400"):
        tempo.search("{ span.flight_recorder.kind = }")


def test_the_recorders_own_spans_can_be_left_out(tempo: TempoProcess, tmp_path: Path) -> None:
    """The page's query for the application's own spans finds all traces but the incident's."""
    scenario = run_scenario(
        "everything", tmp_path / "shop", {"OTEL_FLIGHT_ENDPOINT": tempo.grpc_endpoint}
    )
    page = (DOCS / "how-to" / "open-in-tempo.md").read_text(encoding="utf-8")
    (query,) = re.findall(r"`({ instrumentation:name != .+ })`", page)

    def all_found() -> bool:
        return {trace["traceID"] for trace in tempo.search(query)} == set(scenario.trace_ids)

    assert tempo.wait_for(f"other traces than the application's fit {query}", all_found, 60.0)


@pytest.mark.parametrize("trace_id", ["0" * 7 + "1" + "a" * 24, "a" * 32])
def test_a_trace_is_found_whatever_its_id_begins_with(tempo: TempoProcess, trace_id: str) -> None:
    """Tempo leaves out the leading zeros of an id; neither query nor link may miss it for that."""
    context = SpanContext(int(trace_id, 16), 0xB2, False, TraceFlags(TraceFlags.SAMPLED))
    span = ReadableSpan("GET /", context, start_time=time.time_ns(), end_time=time.time_ns())
    exporter = OTLPSpanExporter(endpoint=tempo.grpc_endpoint, insecure=True)
    exporter.export([span])
    exporter.shutdown()
    place = Whereabouts(
        service="shop",
        incident_id="20260101-100000-3f9a1c",
        incident_trace_id="b" * 32,
        trigger_trace_id=trace_id,
    )

    links = backend_links(place, jaeger_url=None, grafana_url="http://grafana.example")

    query = links.traceql["trigger"]
    (found,) = tempo.wait_for(f"nothing fits {query}", lambda: tempo.search(query))
    assert found["traceID"] == trace_id
    (shown,) = followed_in_grafana(tempo, links.grafana["trigger"])
    assert shown.span.trace_id.hex() == trace_id
