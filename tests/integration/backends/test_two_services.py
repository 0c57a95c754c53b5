"""An incident of two services that call each other, in a real Jaeger and in a real Tempo.

What happens, happens once for each backend; the tests look at it from different sides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

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
    service_of,
)
from tests.backends.span_store import (
    JaegerStore,
    SpanStore,
    TempoStore,
    incident_trace,
    incident_traces,
)
from tests.backends.two_services import STOREFRONT, WAREHOUSE, TwoServices
from tests.support.backends.jaeger_process import JaegerProcess
from tests.support.backends.tempo_process import TempoProcess
from tests.support.receivers.otlp_messages import ReceivedSpan

pytestmark = [*needs_backends("jaeger", "tempo"), pytest.mark.timeout(240)]

BOTH = (STOREFRONT, WAREHOUSE)
ORDERS = 50
SAMPLED_ORDERS = 300


@dataclass(frozen=True)
class Seen:
    """What happened, and what a backend shows of it.

    Attributes:
        store: the backend.
        scenarios: in each service.
        spans: all that the backend shows, the incidents' own included.
        copies: how many spans the backend took.
    """

    store: SpanStore
    scenarios: dict[str, Scenario]
    spans: list[ReceivedSpan]
    copies: int

    def of(self, name: str) -> list[ReceivedSpan]:
        """Return the spans that a service made itself."""
        service = self.scenarios[name].service
        return [item for item in application_spans(self.spans) if service_of(item) == service]

    def roots(self, name: str) -> list[ReceivedSpan]:
        """Return the roots of a service's incident traces, the oldest first."""
        scenario = self.scenarios[name]
        ids = [incident.manifest.incident_id for incident in scenario.incidents]
        traces = [incident_trace(self.store, scenario.service, each) for each in ids]
        return [of_kind(self.store.spans_of([trace]), "incident")[0] for trace in traces]


def sorted_attributes(item: ReceivedSpan) -> list[KeyValue]:
    """Return what a span's resource says, in an order: Tempo keeps none."""
    return sorted(item.resource.attributes, key=lambda each: each.key)


def look(store: SpanStore, scenarios: dict[str, Scenario], incidents: int) -> Seen:
    """Return what a backend shows of two services, each with so many incidents."""
    services = [scenario.service for scenario in scenarios.values()]
    trace_ids = {each for scenario in scenarios.values() for each in scenario.trace_ids}
    for service in services:
        trace_ids.update(incident_traces(store, service, incidents))
    spans = store.spans_of(sorted(trace_ids))
    return Seen(store, scenarios, spans, store.copies(services, spans))


@pytest.fixture(scope="module", params=["jaeger", "tempo"])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SpanStore]:
    """Run a backend for all tests here."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "jaeger":
        with JaegerProcess(folder) as jaeger:
            yield JaegerStore(jaeger)
    else:
        with TempoProcess(folder) as tempo:
            yield TempoStore(tempo)


def incidents_only(store: SpanStore) -> dict[str, str]:
    """Return the variables of services that export nothing but incidents."""
    return {
        "OTEL_TRACES_EXPORTER": "otel_flight",
        "OTEL_TRACES_SAMPLER": "parentbased_always_off",
        "OTEL_FLIGHT_ENDPOINT": store.endpoint,
    }


@pytest.fixture(scope="module")
def failed(store: SpanStore, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Take orders, keep a request waiting in both services, then fail in both."""
    folder = tmp_path_factory.mktemp("failed")
    with TwoServices(folder, "failed", incidents_only(store)) as services:
        assert [services.get(f"/orders/{number}") for number in range(ORDERS)] == [200] * ORDERS
        services.keep_one_waiting()
        assert services.get("/broken") == 500
        services.wait_for_incidents(1)
        scenarios = services.scenarios()
        services.release()
        services.stop()
    return look(store, scenarios, incidents=1)


@pytest.fixture(scope="module")
def sampled(store: SpanStore, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Export one trace in a hundred as ever, over both services; fail in one of the others."""
    folder = tmp_path_factory.mktemp("sampled")
    environment = {
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_ENDPOINT": store.endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.01",
        "RANDOM_SEED": "4",
    }
    with TwoServices(folder, "sampled", environment) as services:
        for number in range(SAMPLED_ORDERS):
            assert services.get(f"/orders/{number}") == 200
        assert services.get("/broken") == 500
        services.wait_for_incidents(1)
        scenarios = services.scenarios()
        services.stop()
    return look(store, scenarios, incidents=1)


@pytest.fixture(scope="module")
def overlapping(store: SpanStore, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Fail twice within one window; a request waits the first time and is through the second."""
    folder = tmp_path_factory.mktemp("overlapping")
    with TwoServices(folder, "overlapping", incidents_only(store)) as services:
        services.keep_one_waiting()
        assert [services.get(f"/orders/{number}") for number in range(20)] == [200] * 20
        assert services.get("/broken") == 500
        services.wait_for_incidents(1)
        assert [services.get(f"/orders/{number}") for number in range(20)] == [200] * 20
        services.release()
        assert services.get("/worse") == 500
        services.wait_for_incidents(2)
        scenarios = services.scenarios()
        services.stop()
    return look(store, scenarios, incidents=2)


@pytest.mark.parametrize("name", BOTH)
def test_every_span_of_the_window_is_there_once(failed: Seen, name: str) -> None:
    """Each ended span of the service is there once, equal to what the SDK would have exported."""
    scenario = failed.scenarios[name]

    ended = [item for item in failed.of(name) if UNFINISHED not in attributes(item)]

    expected = {key(item): item for item in scenario.ended}
    assert len(expected) > 4 * ORDERS
    assert sorted(map(key, ended)) == sorted(expected)
    for item in ended:
        original = expected[key(item)]
        assert failed.store.kept(item) == failed.store.kept(original)
        assert item.scope == original.scope
        assert sorted_attributes(item) == sorted_attributes(original)
    assert failed.copies == len(failed.spans)
    (incident,) = scenario.incidents
    assert {attributes(item)[INCIDENT_ID] for item in failed.of(name)} == {
        incident.manifest.incident_id
    }


def test_a_trace_leads_from_one_service_into_the_other(failed: Seen) -> None:
    """Of each order the warehouse's span is the child of the storefront's call, within its time."""
    by_key = {key(item): item for item in failed.of(STOREFRONT)}
    served = [item for item in failed.of(WAREHOUSE) if item.span.name == "GET /stock/{number}"]

    assert len(served) == ORDERS
    for item in served:
        caller = by_key[item.span.trace_id.hex(), item.span.parent_span_id.hex()]
        assert caller.span.name == "GET"
        assert caller.span.kind == caller.span.SPAN_KIND_CLIENT
        assert caller.span.start_time_unix_nano < item.span.start_time_unix_nano
        order = by_key[caller.span.trace_id.hex(), caller.span.parent_span_id.hex()]
        assert order.span.name == "load order"


@pytest.mark.parametrize("name", BOTH)
def test_unfinished_spans_end_where_the_incident_closed(failed: Seen, name: str) -> None:
    """The request that waits is there in both services, marked, ending with the incident."""
    scenario = failed.scenarios[name]

    unfinished = [item for item in failed.of(name) if attributes(item).get(UNFINISHED) is True]

    originals = {key(item): failed.store.kept(item) for item in scenario.open}
    assert "GET /wait" in {item.span.name for item in scenario.open}
    assert sorted(map(key, unfinished)) == sorted(originals)
    for item in unfinished:
        span = failed.store.kept(item)
        assert span.end_time_unix_nano == scenario.incidents[0].manifest.closed_ns
        span.ClearField("end_time_unix_nano")
        assert span == originals[key(item)]


@pytest.mark.parametrize("name", BOTH)
def test_one_search_lists_the_services_incident(failed: Seen, name: str) -> None:
    """By tag or TraceQL there is one trace, whose root says what happened in which service."""
    scenario = failed.scenarios[name]

    (trace,) = incident_traces(failed.store, scenario.service, 1)

    spans = failed.store.spans_of([trace])
    (root,) = of_kind(spans, "incident")
    assert root.span.name == "incident: error span GET /broken"
    assert service_of(root) == scenario.service
    assert not root.span.parent_span_id
    assert attributes(root)[INCIDENT_ID] == scenario.incidents[0].manifest.incident_id
    (fired,) = [item for item in spans if "flight_recorder.is_trigger" in attributes(item)]
    assert fired.span.name == "GET /broken"


@pytest.mark.parametrize("name", BOTH)
def test_the_requests_in_flight_are_listed_with_links(failed: Seen, name: str) -> None:
    """The one that fired and the one that waits are listed, each with a link to where it is."""
    (root,) = failed.roots(name)

    entries = of_kind(failed.store.spans_of([root.span.trace_id.hex()]), "index")

    scenario = failed.scenarios[name]
    known = {key(item): item for item in [*scenario.ended, *scenario.open]}
    assert {"GET /broken", "GET /wait"} <= {item.span.name for item in entries}
    for item in entries:
        (link,) = item.span.links
        assert known[link.trace_id.hex(), link.span_id.hex()].span.name == item.span.name


@pytest.mark.parametrize("name", BOTH)
def test_from_the_incident_to_the_trigger_and_back(failed: Seen, name: str) -> None:
    """The root's link opens the span that fired, and that span's incident id finds the root."""
    scenario = failed.scenarios[name]
    (root,) = failed.roots(name)

    (link,) = root.span.links
    followed = failed.store.spans_of([link.trace_id.hex()])

    assert [each.value.string_value for each in link.attributes if each.key == LINK] == ["trigger"]
    (fired,) = [item for item in followed if item.span.span_id == link.span_id]
    assert fired.span.name == "GET /broken"
    assert service_of(fired) == scenario.service
    assert attributes(fired)["flight_recorder.trigger"] == "error_span"
    back = incident_trace(failed.store, scenario.service, attributes(fired)[INCIDENT_ID])
    assert back == root.span.trace_id.hex()


def test_the_incidents_of_both_services_meet_in_one_trace(failed: Seen) -> None:
    """One failure makes an incident in each service; both lead to the same whole trace."""
    traces = {root.span.links[0].trace_id for name in BOTH for root in failed.roots(name)}

    (trace,) = traces
    # Without what explains it, should a busy machine have made it pause.
    spans = application_spans(failed.store.spans_of([trace.hex()]))
    assert {service_of(item) for item in spans} == {
        scenario.service for scenario in failed.scenarios.values()
    }
    expected = [
        item
        for scenario in failed.scenarios.values()
        for item in scenario.ended
        if item.span.trace_id == trace
    ]
    assert sorted(map(key, spans)) == sorted(map(key, expected))


@pytest.mark.parametrize("name", BOTH)
def test_lanes_have_a_stable_order(overlapping: Seen, name: str) -> None:
    """No two lanes start in the same microsecond, and both incidents have theirs in one order."""
    orders = []
    for root in overlapping.roots(name):
        lanes = of_kind(overlapping.store.spans_of([root.span.trace_id.hex()]), "lane")
        starts = [item.span.start_time_unix_nano // 1000 for item in lanes]
        assert lanes
        assert len(set(starts)) == len(starts)
        assert min(starts) > root.span.start_time_unix_nano // 1000
        assert {item.span.parent_span_id for item in lanes} == {root.span.span_id}
        lanes.sort(key=lambda item: item.span.start_time_unix_nano)
        orders.append([item.span.name for item in lanes])

    assert len(orders) == 2
    assert are_in_one_order(*orders)
    assert [order[-1] for order in orders] == ["lane: requests"] * 2


def test_unsampled_spans_are_rescued_beside_the_sampled_ones(sampled: Seen) -> None:
    """Under a 1 % sampler all spans of both services are there once, whichever way they came."""
    found = application_spans(sampled.spans)

    expected = [item for scenario in sampled.scenarios.values() for item in scenario.ended]
    assert sorted(map(key, found)) == sorted(map(key, expected))
    assert sampled.copies == len(sampled.spans)
    exported = {key(item) for item in found if INCIDENT_ID not in attributes(item)}
    in_files = [
        span.record
        for scenario in sampled.scenarios.values()
        for span in scenario.incidents[0].window.spans()
    ]
    kept_by_sampler = {
        (f"{record.trace_id:032x}", f"{record.span_id:016x}")
        for record in in_files
        if record.is_sampled
    }
    assert exported == kept_by_sampler
    assert 0 < len({trace for trace, _ in exported}) < SAMPLED_ORDERS / 10


def test_a_sampled_trace_is_whole(sampled: Seen) -> None:
    """What the head sampler kept went out by the normal pipeline in both services."""
    traces = {
        item.span.trace_id
        for item in application_spans(sampled.spans)
        if INCIDENT_ID not in attributes(item)
    }

    for trace in traces:
        services = {service_of(item) for item in sampled.spans if item.span.trace_id == trace}
        assert services == {scenario.service for scenario in sampled.scenarios.values()}


@pytest.mark.parametrize("name", BOTH)
def test_overlapping_incidents_share_no_span(overlapping: Seen, name: str) -> None:
    """A span both windows hold is sent once; what was open the first time ends as a child."""
    scenario = overlapping.scenarios[name]
    first, second = (incident.manifest.incident_id for incident in scenario.incidents)

    keys = [key(item) for item in overlapping.spans]
    found = overlapping.of(name)

    assert overlapping.copies == len(keys) == len(set(keys))
    assert {key(item) for item in found} == {key(item) for item in scenario.ended}
    unfinished = {
        item.span.span_id: item for item in found if attributes(item).get(UNFINISHED) is True
    }
    assert "GET /wait" in {item.span.name for item in unfinished.values()}
    finished = [
        item
        for item in of_kind(overlapping.spans, "finished")
        if service_of(item) == scenario.service
    ]
    assert sorted(item.span.parent_span_id for item in finished) == sorted(unfinished)
    for item in finished:
        begun = unfinished[item.span.parent_span_id]
        assert item.span.name == begun.span.name
        assert item.span.trace_id == begun.span.trace_id
        assert attributes(begun)[INCIDENT_ID] == first
        assert attributes(item)[INCIDENT_ID] == second
        assert item.span.end_time_unix_nano > begun.span.end_time_unix_nano


@pytest.mark.parametrize("name", BOTH)
def test_an_incident_links_to_the_one_before(overlapping: Seen, name: str) -> None:
    """Of two incidents of a service the second leads to the first, which has the older spans."""
    first, second = overlapping.roots(name)

    previous = [
        link
        for link in second.span.links
        if any(each.value.string_value == "previous" for each in link.attributes)
    ]

    assert [link.trace_id for link in previous] == [first.span.trace_id]
    assert [link.span_id for link in previous] == [first.span.span_id]
