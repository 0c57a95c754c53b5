"""What collector-config/incidents-apart.yaml promises, with a real Collector."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.backends.backend_process import needs_backends
from tests.backends.scenario import (
    INCIDENT_ID,
    Scenario,
    application_spans,
    attributes,
    key,
    of_kind,
    run_scenario,
)
from tests.support.backends.shipped_collector import ShippedCollector, target_of
from tests.support.backends.tempo_process import TempoProcess
from tests.support.receivers.otlp_client import made_span, request_of, send, text
from tests.support.receivers.otlp_receiver import OtlpReceiver

pytestmark = [*needs_backends("collector", "tempo"), pytest.mark.timeout(120)]

Receivers = tuple[OtlpReceiver, OtlpReceiver]


class TempoWithTenants(TempoProcess):
    """A Tempo in which each tenant sees its own traces only."""

    def configuration(self) -> str:
        """Return Tempo's configuration."""
        return "multitenancy_enabled: true\n" + super().configuration()

    def traces_of(self, tenant: str) -> list[dict[str, Any]]:
        """Return what a tenant finds when it searches for anything."""
        query = {"q": "{}", "limit": 10_000}
        status, body = self.get("query", "/api/search", query, {"X-Scope-OrgID": tenant})
        assert status == 200, body
        return list(json.loads(body).get("traces") or [])


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    """Run a receiver for ordinary spans, and one for incidents."""
    with OtlpReceiver() as ordinary, OtlpReceiver() as incidents:
        yield ordinary, incidents


@pytest.fixture
def collector(receivers: Receivers, tmp_path: Path) -> Iterator[ShippedCollector]:
    """Run the Collector before them."""
    ordinary, incidents = receivers
    variables = {
        "BACKEND_ENDPOINT": target_of(ordinary.grpc_endpoint),
        "INCIDENT_BACKEND_ENDPOINT": target_of(incidents.grpc_endpoint),
    }
    with ShippedCollector(tmp_path / "collector", "incidents-apart.yaml", variables) as process:
        yield process


def happen(collector: ShippedCollector, tmp_path: Path) -> Scenario:
    """Let a shop fail that exports one trace in a hundred, everything through the Collector."""
    return run_scenario(
        "sampled",
        tmp_path / "shop",
        {
            "OTEL_FLIGHT_ENDPOINT": collector.grpc_endpoint,
            "SHOP_EXPORTS_TO": collector.grpc_endpoint,
        },
    )


def test_incidents_and_ordinary_spans_part(
    receivers: Receivers, collector: ShippedCollector, tmp_path: Path
) -> None:
    """What the service exports itself is in one backend, incidents are in the other, all once."""
    ordinary, incidents = receivers

    scenario = happen(collector, tmp_path)
    collector.stop()  # which sends what it still holds

    exported = ordinary.spans()
    assert exported
    assert [item for item in exported if INCIDENT_ID in attributes(item)] == []
    assert [item for item in incidents.spans() if INCIDENT_ID not in attributes(item)] == []
    found = [*exported, *application_spans(incidents.spans())]
    assert sorted(map(key, found)) == sorted(map(key, scenario.ended))
    assert len(of_kind(incidents.spans(), "incident")) == 1


def test_a_request_with_both_is_divided(receivers: Receivers, collector: ShippedCollector) -> None:
    """The choice is made for each span, also of one trace in one request."""
    ordinary, incidents = receivers
    spans = [made_span(1, 1), made_span(1, 2, text(INCIDENT_ID, "a")), made_span(1, 3)]
    first, second, third = (span.span_id for span in spans)

    status = send(collector.http_endpoint, request_of(*spans))
    collector.stop()

    assert status == 200
    assert [item.span.span_id for item in ordinary.spans()] == [first, third]
    assert [item.span.span_id for item in incidents.spans()] == [second]


def test_each_is_sent_for_a_tenant(receivers: Receivers, collector: ShippedCollector) -> None:
    """Incidents and ordinary spans carry the names of different tenants."""
    ordinary, incidents = receivers

    send(collector.http_endpoint, request_of(made_span(1, 1)))
    send(collector.http_endpoint, request_of(made_span(1, 2, text(INCIDENT_ID, "a"))))
    collector.stop()

    assert [request.headers["x-scope-orgid"] for request in ordinary.requests] == ["ordinary"]
    assert [request.headers["x-scope-orgid"] for request in incidents.requests] == ["incidents"]


def test_incidents_do_not_wait_for_the_other_backend(
    receivers: Receivers, collector: ShippedCollector
) -> None:
    """Each has a queue of its own: with the ordinary backend down, incidents arrive."""
    ordinary, incidents = receivers
    ordinary.stop()

    for number in range(1, 31):
        send(collector.http_endpoint, request_of(made_span(number, number)))
    send(collector.http_endpoint, request_of(made_span(1, 99, text(INCIDENT_ID, "a"))))

    assert len(incidents.wait_for_spans(1, 30)) == 1
    ordinary.start()
    assert len(ordinary.wait_for_spans(30, 60)) == 30


def test_a_tempo_keeps_them_as_two_tenants(tmp_path: Path) -> None:
    """In one Tempo, the tenant of incidents finds these, and the other one none of them."""
    with TempoWithTenants(tmp_path / "tempo") as tempo:
        target = target_of(tempo.grpc_endpoint)
        variables = {"BACKEND_ENDPOINT": target, "INCIDENT_BACKEND_ENDPOINT": target}
        with ShippedCollector(tmp_path / "collector", "incidents-apart.yaml", variables) as process:
            scenario = happen(process, tmp_path)
            process.stop()
        (incident,) = scenario.incidents
        sampled = {
            item.record.trace_id for item in incident.window.spans() if item.record.is_sampled
        }

        def is_all_there() -> bool:
            count = len(scenario.trace_ids) - len(sampled) + 1  # the incident's own
            return len(tempo.traces_of("incidents")) >= count

        tempo.wait_for("traces are missing", is_all_there, 60.0)
        tempo.wait_for("nothing ordinary", lambda: tempo.traces_of("ordinary"))
        roots = {trace["rootTraceName"] for trace in tempo.traces_of("incidents")}
        assert "incident: error span GET /broken" in roots
        found = {int(trace["traceID"], 16) for trace in tempo.traces_of("ordinary")}
        assert found == sampled
