"""Stack samples travel from the spool to a real receiver of OTLP profiles, after the spans."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_flight.assembly import Settings
from otel_flight.delivery.profiles.sampled_stacks import sampled_stacks
from otel_flight.ground.deadline import Deadline
from otel_flight.ground.guard import Guard
from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.spool.directory import PROFILES_STATE_SUFFIX
from otel_flight.incidents.spool.spool import Spool
from otel_flight.ring.layout import LANE_RUNTIME
from tests.support.incidents.incident_builder import IncidentBuilder, place
from tests.support.receivers.otlp_messages import SIGNALS, Refusal
from tests.support.receivers.otlp_receiver import OtlpReceiver
from tests.support.rigs.deliverer import Deliverer

SECONDS = 20.0
SAMPLES = 5

pytestmark = pytest.mark.skipif(
    "profiles" not in {each.name for each in SIGNALS}, reason="opentelemetry-proto is too old"
)


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """A receiver of everything."""
    with OtlpReceiver() as running:
        yield running


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """An empty spool."""
    return Spool(tmp_path / "spool", 1 << 30, 100)


def slow_incident(ring_directory: Path, samples: int = SAMPLES) -> Incident:
    """Return an incident of a slow request that was sampled so often."""
    with IncidentBuilder(ring_directory) as builder:
        root = builder.open("GET /report", 0)
        for number in range(samples):
            places = [place("main", "/app/main.py", 3), place("render", "/app/shop.py", 30)]
            moment = 100 + 100 * number
            builder.event("stacks", "running", moment, thread_id=7, span=root, places=places)
        builder.end(root, 2_000)
        return builder.incident(builder.slow(root, 2_000), closed_ms=4_000)


def deliver(spool: Spool, **settings: Any) -> None:
    """Do what a process does that finds the spool."""
    usual = {"flush_cpu_share": 1.0, "protocol": "http/protobuf"}
    deliverer = Deliverer(spool, Settings(**{**usual, **settings}), Guard())
    deliverer.worker.start()
    assert deliverer.worker.wait_idle(Deadline.after(SECONDS))
    assert deliverer.worker.stop(Deadline.after(SECONDS))


def profiles_in(receiver: OtlpReceiver) -> list[Any]:
    """Return the messages with profiles that arrived."""
    return [each.message for each in receiver.requests if each.signal == "profiles"]


def test_samples_arrive_with_links_to_their_spans(
    receiver: OtlpReceiver,
    spool: Spool,
    own_environment: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After the spans, once, with the headers that are meant for every signal, and no others."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "tenant=shop")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "authorization=secret")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    incident = slow_incident(own_environment)
    entry = spool.add(incident)
    endpoint = receiver.http_endpoint

    deliver(spool, endpoint=endpoint, profiles_endpoint=endpoint)
    deliver(spool, endpoint=endpoint, profiles_endpoint=endpoint)

    signals = [each.signal for each in receiver.requests]
    assert signals == [*["traces"] * (len(signals) - 1), "profiles"]
    headers = receiver.requests[-1].headers
    assert headers["tenant"] == "shop"
    assert headers["content-encoding"] == "gzip"
    assert "authorization" not in headers
    (message,) = profiles_in(receiver)
    (of_resource,) = message.resource_profiles
    attributes = {each.key: each.value.string_value for each in of_resource.resource.attributes}
    assert attributes["service.name"] == "shop"
    (profile,) = of_resource.scope_profiles[0].profiles
    (sample,) = profile.samples
    assert len(sample.timestamps_unix_nano) == SAMPLES
    link = message.dictionary.link_table[sample.link_index]
    trigger = incident.manifest.causes[0]
    assert (link.trace_id.hex(), link.span_id.hex()) == (trigger.trace_id, trigger.span_id)
    (noted,) = profile.attribute_indices
    assert message.dictionary.attribute_table[noted].value.string_value == entry.incident_id


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(http_status=404, grpc_code="UNIMPLEMENTED"),
        Refusal(http_status=501, grpc_code="UNIMPLEMENTED"),
    ],
)
def test_a_receiver_without_profiles_does_not_hurt_the_spans(
    receiver: OtlpReceiver,
    spool: Spool,
    own_environment: Path,
    refusal: Refusal,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """They are delivered, and what failed is said once, in words."""
    entry = spool.add(slow_incident(own_environment))
    receiver.judge_by(lambda request: refusal if request.signal == "profiles" else None)
    endpoint = receiver.http_endpoint

    deliver(spool, endpoint=endpoint, profiles_endpoint=endpoint)

    assert spool.find(entry.incident_id).state.delivered
    assert not spool.of(PROFILES_STATE_SUFFIX).find(entry.incident_id).state.delivered
    warnings = [each.getMessage() for each in caplog.records if each.name == "otel_flight"]
    (warning,) = warnings
    assert f"could not deliver the profiles of incident {entry.incident_id}" in warning
    assert str(refusal.http_status) in warning


@pytest.mark.parametrize(
    ("samples", "settings"), [(SAMPLES, {}), (0, {"profiles_endpoint": "http://127.0.0.1:1"})]
)
def test_none_are_sent_that_nobody_wants_or_that_are_not_there(
    receiver: OtlpReceiver,
    spool: Spool,
    own_environment: Path,
    samples: int,
    settings: dict[str, str],
) -> None:
    """Without the setting, and of an incident without samples, there is no request."""
    spool.add(slow_incident(own_environment, samples))

    deliver(spool, endpoint=receiver.http_endpoint, **settings)

    assert {each.signal for each in receiver.requests} == {"traces"}


def test_samples_of_an_earlier_incident_are_left_out(spool: Spool, own_environment: Path) -> None:
    """As are its spans: windows overlap, and a profile would count them twice."""
    incident = read_incident(spool.add(slow_incident(own_environment)).path)
    events = list(incident.window.events())

    (stacks,) = sampled_stacks(incident, first_record=events[-2].number)

    assert str(LANE_RUNTIME) not in incident.manifest.exported_to
    assert [each.event.number for each in stacks.samples] == [each.number for each in events[-2:]]
