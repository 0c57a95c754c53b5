"""What becomes of traces and attributes beyond the limits of a real Tempo, and in Jaeger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backends.backend_process import needs_backends
from tests.backends.programs.shop import LONG_TEXT
from tests.backends.scenario import (
    INCIDENT_ID,
    KIND,
    Scenario,
    application_spans,
    attributes,
    key,
    of_kind,
    run_scenario,
)
from tests.backends.span_store import (
    TEMPO_TEXT_BYTES,
    JaegerStore,
    SpanStore,
    TempoStore,
    incident_trace,
    kept_by_tempo,
)
from tests.support.backends.jaeger_process import JaegerProcess
from tests.support.backends.tempo_process import TempoProcess
from tests.support.incidents.command_line import run
from tests.support.receivers.otlp_messages import ReceivedSpan

pytestmark = [*needs_backends("jaeger", "tempo"), pytest.mark.timeout(180)]

SPANS_OF_TRACE = 8002
OTHER_SPANS = 3


@pytest.fixture
def tempo(tmp_path: Path) -> Iterator[TempoProcess]:
    """Run a Tempo of this test's own, which takes 5 MB of a trace."""
    with TempoProcess(tmp_path / "tempo") as process:
        yield process


def happen(what: str, store: SpanStore, tmp_path: Path) -> Scenario:
    """Let something happen in the shop, as much of it as there may be."""
    return run_scenario(
        what,
        tmp_path / "shop",
        {
            "OTEL_FLIGHT_ENDPOINT": store.endpoint,
            "OTEL_FLIGHT_WINDOW_BYTES": "64MiB",
            "OTEL_FLIGHT_FLUSH_CPU_SHARE": "1",
        },
    )


def own_spans(store: SpanStore, scenario: Scenario) -> list[ReceivedSpan]:
    """Return the spans of the incident's own trace."""
    (incident,) = scenario.incidents
    found = incident_trace(store, scenario.service, incident.manifest.incident_id)
    return store.spans_of([found])


def large_trace_events(items: list[ReceivedSpan]) -> list[dict[str, object]]:
    """Return what the incident says of large traces."""
    (root,) = of_kind(items, "incident")
    return [
        {each.key: each.value.string_value or each.value.int_value for each in event.attributes}
        for event in root.span.events
        if event.name == "large trace"
    ]


def test_the_incident_is_whole_although_its_trigger_is_too_large(
    tempo: TempoProcess, tmp_path: Path
) -> None:
    """Tempo drops a part of the trigger's trace; what is there leads from the top of it."""
    store = TempoStore(tempo)
    scenario = happen("large", store, tmp_path)
    trace_id = scenario.incidents[0].manifest.causes[0].trace_id

    own = own_spans(store, scenario)
    found = application_spans(store.spans_of([trace_id]))

    assert {item.span.name for item in of_kind(own, "lane")} >= {"lane: requests"}
    (root,) = of_kind(own, "incident")
    assert root.span.links[0].trace_id.hex() == trace_id
    expected = {key(item): item for item in scenario.ended}
    assert 0 < len(found) < SPANS_OF_TRACE
    assert all(kept_by_tempo(item) == kept_by_tempo(expected[key(item)]) for item in found)
    names = {item.span.name for item in found}
    assert names == {"GET /export", "write", "write row"}
    (fired,) = [item for item in found if item.span.name == "GET /export"]
    assert attributes(fired)["flight_recorder.trigger"] == "error_span"


def test_what_tempo_dropped_is_known(tempo: TempoProcess, tmp_path: Path) -> None:
    """The incident in Tempo and `show` name the trace; Tempo's metric counts what is not there."""
    store = TempoStore(tempo)
    scenario = happen("large", store, tmp_path)
    (incident,) = scenario.incidents
    trace_id = incident.manifest.causes[0].trace_id

    (event,) = large_trace_events(own_spans(store, scenario))
    shown = run("show", str(incident.path)).output
    told = run("show", str(incident.path), "--json").json()

    found = application_spans(store.spans_of([trace_id]))
    assert event["flight_recorder.trace_id"] == trace_id
    assert event["flight_recorder.trace.spans"] == SPANS_OF_TRACE
    assert tempo.refused_spans() == SPANS_OF_TRACE - len(found)
    sent = sum(item.span.ByteSize() for item in scenario.ended)
    assert abs(int(str(event["flight_recorder.trace.bytes"])) - sent) < 0.2 * sent
    (large,) = told["large_traces"]
    assert large["trace_id"] == trace_id
    assert large["spans"] == SPANS_OF_TRACE
    assert trace_id in shown.split("Window and delivery")[1]


def test_a_raised_limit_takes_all_of_it(tmp_path: Path) -> None:
    """A Tempo that was told to take more has the whole trace, and refuses nothing."""
    with TempoProcess(tmp_path / "tempo", max_bytes_per_trace=50_000_000) as tempo:
        store = TempoStore(tempo)
        scenario = happen("large", store, tmp_path)

        own = own_spans(store, scenario)
        found = application_spans(store.spans_of(scenario.trace_ids))

        assert sorted(map(key, found)) == sorted(map(key, scenario.ended))
        assert len(found) == SPANS_OF_TRACE + OTHER_SPANS
        assert tempo.refused_spans() == 0
        assert len(large_trace_events(own)) == 1


def test_sent_again_to_a_raised_limit_it_is_whole(tmp_path: Path) -> None:
    """What was dropped is in the spool: once Tempo takes more, it has each span, and once."""
    with TempoProcess(tmp_path / "tempo") as tempo:
        scenario = happen("large", TempoStore(tempo), tmp_path)
        assert tempo.refused_spans() > 0
        tempo.stop()
    with TempoProcess(tmp_path / "tempo", max_bytes_per_trace=50_000_000) as tempo:
        path = str(scenario.incidents[0].path)

        outcome = run("export", path, "--again", "--endpoint", tempo.grpc_endpoint)

        assert outcome.exit_code == 0, outcome.output
        assert tempo.refused_spans() == 0
        expected = sorted(map(key, scenario.ended))

        def is_whole() -> bool:
            found = application_spans(TempoStore(tempo).spans_of(scenario.trace_ids))
            return sorted(map(key, found)) == expected

        tempo.wait_for("spans are missing, or there twice", is_whole)


def test_jaeger_takes_all_of_a_large_trace(tmp_path: Path) -> None:
    """It knows no such limit: each span is there once."""
    with JaegerProcess(tmp_path / "jaeger") as jaeger:
        store = JaegerStore(jaeger)
        scenario = happen("large", store, tmp_path)

        found = application_spans(store.spans_of(scenario.trace_ids))

        assert sorted(map(key, found)) == sorted(map(key, scenario.ended))


def test_our_own_long_texts_are_whole(tempo: TempoProcess, tmp_path: Path) -> None:
    """Tempo cuts the application's long attribute, and none of the incident's: they go in parts."""
    store = TempoStore(tempo)
    scenario = happen("wordy", store, tmp_path)

    (root,) = of_kind(own_spans(store, scenario), "incident")
    (span,) = application_spans(store.spans_of(scenario.trace_ids))

    told = attributes(root)
    text = scenario.incidents[0].manifest.causes[0].attributes["query"]
    assert len(text.encode()) > TEMPO_TEXT_BYTES
    name = "flight_recorder.cause.query"
    assert told[name] + told[f"{name}.2"] == text
    values = [str(value) for value in told.values()]
    assert max(len(value.encode()) for value in values) <= TEMPO_TEXT_BYTES
    assert LONG_TEXT.startswith(attributes(span)["query"].rstrip("\ufffd"))
    assert len(attributes(span)["query"].encode()) < len(LONG_TEXT.encode())
    assert attributes(span)[INCIDENT_ID] == told[INCIDENT_ID]
    assert KIND not in attributes(span)
