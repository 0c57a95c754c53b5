"""A window of 50 000 spans, in a real Jaeger and in a real Tempo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backends.backend_process import needs_backends
from tests.backends.scenario import (
    INCIDENT_ID,
    KIND,
    application_spans,
    attributes,
    key,
    run_scenario,
)
from tests.backends.span_store import JaegerStore, SpanStore, TempoStore, incident_trace
from tests.support.backends.jaeger_process import JaegerProcess
from tests.support.backends.tempo_process import TempoProcess

pytestmark = [*needs_backends("jaeger", "tempo"), pytest.mark.timeout(240)]

SPANS = 50_007
"""1000 requests of 50 spans, the one that fails with its query, and five in flight beside it."""


@pytest.fixture(params=["jaeger", "tempo"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SpanStore]:
    """Run a backend of this test's own."""
    if request.param == "jaeger":
        with JaegerProcess(tmp_path / "jaeger") as jaeger:
            yield JaegerStore(jaeger)
    else:
        with TempoProcess(tmp_path / "tempo") as tempo:
            yield TempoStore(tempo)


def test_every_span_of_a_full_window_is_there_once(store: SpanStore, tmp_path: Path) -> None:
    """None of 50 007 spans is missing, doubled or changed, and the incident lists them all."""
    scenario = run_scenario(
        "crowded",
        tmp_path / "shop",
        {
            "OTEL_FLIGHT_ENDPOINT": store.endpoint,
            "OTEL_FLIGHT_WINDOW_BYTES": "64MiB",
            "OTEL_FLIGHT_FLUSH_CPU_SHARE": "1",
        },
    )
    (incident,) = scenario.incidents
    incident_id = incident.manifest.incident_id

    own = store.spans_of([incident_trace(store, scenario.service, incident_id)])
    found = application_spans(store.spans_of(scenario.trace_ids))

    assert incident.manifest.losses.is_empty
    expected = {key(item): item for item in scenario.ended}
    assert len(expected) == SPANS
    assert sorted(map(key, found)) == sorted(expected)
    assert all(store.kept(item) == store.kept(expected[key(item)]) for item in found)
    assert {attributes(item)[INCIDENT_ID] for item in found} == {incident_id}
    assert store.copies([scenario.service], [*found, *own]) == SPANS + len(own)
    (root,) = [item for item in own if attributes(item)[KIND] == "incident"]
    assert attributes(root)["flight_recorder.window.spans"] == SPANS
