"""An incident travels from the spool to a real OTLP receiver, through the official exporters."""

from __future__ import annotations

import json
import socket
import stat
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import set_span_in_context

from otel_flight import install, uninstall
from otel_flight.assembly import Settings
from otel_flight.ground.backoff import Backoff
from otel_flight.ground.deadline import Deadline
from otel_flight.ground.guard import Guard
from otel_flight.incidents.spool.directory import SpoolEntry
from otel_flight.incidents.spool.spool import Spool
from tests.support.incidents.rig_incidents import INCIDENT_ID, cause_of, incident_of
from tests.support.receivers.certificates import (
    AUTHORITY,
    CLIENT_CERTIFICATE,
    CLIENT_KEY,
    ServerCertificates,
)
from tests.support.receivers.otlp_messages import (
    BAD_REQUEST,
    OURS,
    UNAVAILABLE,
    ReceivedSpan,
    Transport,
    spans_in,
    without_stamps,
)
from tests.support.receivers.otlp_receiver import OtlpReceiver
from tests.support.rigs.deliverer import Deliverer
from tests.support.rigs.recording_rig import RecordingRig

SECONDS = 20.0
TRANSPORTS: tuple[Transport, ...] = ("grpc", "http/protobuf")
by_transport = pytest.mark.parametrize("transport", TRANSPORTS)


@pytest.fixture
def rig(own_environment: Path) -> Iterator[RecordingRig]:
    """A ring that is recorded into."""
    with RecordingRig(own_environment, window_bytes="4MiB", runtime_bytes="128KiB") as rig:
        rig.collect_ended()
        yield rig


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """A receiver with nothing special about it."""
    with OtlpReceiver() as running:
        yield running


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """An empty spool."""
    return Spool(tmp_path / "spool", 1 << 30, 100)


def make_traces(rig: RecordingRig, traces: int, children: int = 9) -> None:
    """Record some traces; their spans are in `rig.ended`."""
    for number in range(traces):
        root = rig.tracer.start_span("GET /", attributes={"number": number, "texts": ("a", "b")})
        for _ in range(children):
            rig.tracer.start_span("SELECT", set_span_in_context(root)).end()
        root.end()


def add_incident(rig: RecordingRig, spool: Spool, **manifest: Any) -> SpoolEntry:
    """Put an incident of everything recorded so far into the spool, the last span its trigger."""
    return spool.add(incident_of(rig, causes=[cause_of(rig.ended.spans[-1])], **manifest))


def deliver(spool: Spool, seconds: float = SECONDS, **settings: Any) -> Deliverer:
    """Do what a process does that finds the spool; return it, stopped."""
    deliverer = Deliverer(
        spool,
        Settings(**{"flush_cpu_share": 1.0, **settings}),
        Guard(),
        backoff=Backoff(lambda low, high: 0.05),
    )
    deliverer.worker.start()
    assert deliverer.worker.wait_idle(Deadline.after(seconds))
    assert deliverer.worker.stop(Deadline.after(SECONDS))
    return deliverer


def fail_to_deliver(spool: Spool, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
    """Do what a process does whose backend is down, and that ends soon after."""
    with monkeypatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
        deliverer = Deliverer(
            spool, Settings(**settings), Guard(), backoff=Backoff(lambda low, high: 3600.0)
        )
        deliverer.worker.start()
        # Old exporters go on trying for a minute, and take a moment to notice the shutdown.
        deliverer.worker.wait_idle(Deadline.after(1.5))
        deliverer.worker.stop(Deadline.after(0.3))
        assert deliverer.worker.stop(Deadline.after(SECONDS))


def kept(item: ReceivedSpan) -> tuple[bytes, bytes, bytes]:
    """Return resource, scope and span as bytes, without what an incident adds."""
    resource = type(item.resource)()
    resource.attributes.extend(each for each in item.resource.attributes if each.key != "host.name")
    return (
        resource.SerializeToString(deterministic=True),
        item.scope.SerializeToString(deterministic=True),
        without_stamps(item.span).SerializeToString(deterministic=True),
    )


def is_ours(item: ReceivedSpan) -> bool:
    """Tell whether the recorder made the span itself."""
    return any(each.key == f"{OURS}kind" for each in item.span.attributes)


def assert_all_there(rig: RecordingRig, received: list[ReceivedSpan]) -> None:
    """Fail unless every span arrived exactly once and as the SDK would have sent it."""
    expected = Counter(kept(item) for item in spans_in(encode_spans(rig.ended.spans)))
    assert Counter(kept(item) for item in received if not is_ours(item)) == expected
    ids = [item.span.span_id for item in received]
    assert len(ids) == len(set(ids))


@by_transport
def test_every_span_arrives_once_and_unchanged(
    rig: RecordingRig, receiver: OtlpReceiver, spool: Spool, transport: Transport
) -> None:
    """Over both protocols, in chunks a receiver takes; the trigger's trace is the first."""
    make_traces(rig, 150)
    entry = add_incident(rig, spool)

    deliverer = deliver(spool, endpoint=receiver.endpoint(transport), protocol=transport)

    assert_all_there(rig, receiver.spans())
    assert {request.transport for request in receiver.requests} == {transport}
    sizes = [len(spans_in(request.message)) for request in receiver.requests]
    assert max(sizes) <= 512
    first = spans_in(receiver.requests[0].message)
    trigger = rig.ended.spans[-1].get_span_context()
    assert trigger is not None
    assert {item.span.trace_id for item in first} == {trigger.trace_id.to_bytes(16, "big")}
    root = spans_in(receiver.requests[1].message)[0].span
    assert root.name == "incident: error span GET /"
    assert spool.find(entry.incident_id).state.delivered
    assert deliverer.spans.statistics.delivered_spans == len(receiver.spans())


@by_transport
def test_the_standard_variables_are_enough(
    rig: RecordingRig, spool: Spool, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Endpoint, headers, compression, TLS and client certificate, all for traces only."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    make_traces(rig, 3)
    add_incident(rig, spool)
    with OtlpReceiver(
        certificates=ServerCertificates(client_authority=AUTHORITY),
        required_headers={"x-tenant": "blue"},
    ) as receiver:
        path = "/v1/traces" if transport == "http/protobuf" else ""
        for name, value in {
            "ENDPOINT": receiver.endpoint(transport) + path,
            "PROTOCOL": transport,
            "HEADERS": "x-tenant=blue",
            "COMPRESSION": "gzip",
            "CERTIFICATE": str(AUTHORITY),
            "CLIENT_CERTIFICATE": str(CLIENT_CERTIFICATE),
            "CLIENT_KEY": str(CLIENT_KEY),
            "TIMEOUT": "7",
        }.items():
            monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_TRACES_{name}", value)
            monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", "no such thing")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")

        deliver(spool)

        assert_all_there(rig, receiver.spans())
        if transport == "http/protobuf":
            assert receiver.requests[0].headers["content-encoding"] == "gzip"


@by_transport
def test_the_general_variables_work_as_well(
    rig: RecordingRig,
    receiver: OtlpReceiver,
    spool: Spool,
    transport: Transport,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The base endpoint, to which HTTP appends the path."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint(transport))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", transport)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=green")
    make_traces(rig, 1)
    add_incident(rig, spool)

    deliver(spool)

    assert_all_there(rig, receiver.spans())
    assert receiver.requests[0].headers["x-tenant"] == "green"


@by_transport
def test_the_next_process_delivers_what_was_left(
    rig: RecordingRig,
    receiver: OtlpReceiver,
    spool: Spool,
    transport: Transport,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While the endpoint is down the incident stays in the spool, and says why."""
    make_traces(rig, 3)
    entry = add_incident(rig, spool)
    receiver.stop()
    where: dict[str, Any] = {"endpoint": receiver.endpoint(transport), "protocol": transport}
    fail_to_deliver(spool, monkeypatch, **where)
    left = spool.find(entry.incident_id).state

    receiver.start()
    deliver(spool, **where)

    assert (left.delivered, left.chunks) == (False, 0)
    assert left.last_error
    assert_all_there(rig, receiver.spans())


def test_an_interrupted_delivery_goes_on_where_it_was(
    rig: RecordingRig, receiver: OtlpReceiver, spool: Spool
) -> None:
    """Chunks that were acknowledged are not sent again, also not by another process."""
    make_traces(rig, 60)
    entry = add_incident(rig, spool)
    where: dict[str, Any] = {"endpoint": receiver.http_endpoint, "protocol": "http/protobuf"}
    deliverer = Deliverer(
        spool, Settings(**where), Guard(), backoff=Backoff(lambda low, high: 3600.0)
    )

    def refuse_the_third() -> bool:
        if len(receiver.requests) == 2 and not receiver.refused:
            receiver.refuse_next(1, BAD_REQUEST)
        return bool(receiver.refused)

    receiver.answer_after(0.02)
    deliverer.worker.start()
    receiver.wait_for(refuse_the_third, SECONDS)
    assert deliverer.worker.wait_idle(Deadline.after(SECONDS))
    assert deliverer.worker.stop(Deadline.after(SECONDS))
    between = spool.find(entry.incident_id).state
    receiver.answer_after(0)
    deliver(spool, **where)

    assert 2 <= between.chunks < 6
    assert "400" in between.last_error
    assert_all_there(rig, receiver.spans())
    # The receiver has said that it did not take the third, so there is no doubt about it.
    assert spool.find(entry.incident_id).state.resent_chunks == 0


def test_two_processes_deliver_an_incident_once(
    rig: RecordingRig, receiver: OtlpReceiver, spool: Spool
) -> None:
    """Workers that share a spool do not send the same file at the same time."""
    make_traces(rig, 60)
    add_incident(rig, spool)
    settings = Settings(endpoint=receiver.grpc_endpoint, flush_cpu_share=1.0)
    deliverers = [Deliverer(spool, settings, Guard()) for _ in range(3)]

    for deliverer in deliverers:
        deliverer.worker.start()
    assert all(deliverer.worker.wait_idle(Deadline.after(SECONDS)) for deliverer in deliverers)
    assert all(deliverer.worker.stop(Deadline.after(SECONDS)) for deliverer in deliverers)

    assert_all_there(rig, receiver.spans())
    assert sum(deliverer.spans.statistics.delivered_incidents for deliverer in deliverers) == 1


@by_transport
def test_a_hanging_receiver_does_not_hold_up_the_stop(
    rig: RecordingRig, receiver: OtlpReceiver, spool: Spool, transport: Transport
) -> None:
    """The process can end; the incident waits for the next one."""
    make_traces(rig, 1)
    entry = add_incident(rig, spool)
    receiver.hold()
    settings = Settings(endpoint=receiver.endpoint(transport), protocol=transport)
    deliverer = Deliverer(spool, settings, Guard())
    deliverer.worker.start()
    done = threading.Event()
    deliverer.worker.submit(done.set)
    assert done.wait(SECONDS)

    deliverer.worker.stop(Deadline.after(0.5))

    assert not spool.find(entry.incident_id).state.delivered
    receiver.release()
    assert deliverer.worker.stop(Deadline.after(SECONDS))


def test_a_transient_refusal_costs_nothing(
    rig: RecordingRig, receiver: OtlpReceiver, spool: Spool
) -> None:
    """The official exporter tries again by itself, and encodes the chunk once more."""
    make_traces(rig, 3)
    add_incident(rig, spool)
    receiver.refuse_next(1, UNAVAILABLE)

    deliverer = deliver(spool, endpoint=receiver.grpc_endpoint)

    assert_all_there(rig, receiver.spans())
    assert deliverer.spans.statistics.failed_attempts == 0


def test_an_unreachable_endpoint_fails_and_is_named(
    rig: RecordingRig, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the exporter logged is kept with the incident."""
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        make_traces(rig, 1)
        entry = add_incident(rig, spool)
        fail_to_deliver(spool, monkeypatch, endpoint=endpoint, protocol="grpc")

    state = spool.find(entry.incident_id).state
    assert "UNAVAILABLE" in state.last_error or "DEADLINE" in state.last_error
    assert state.endpoint == endpoint


def wait_for_span(receiver: OtlpReceiver, name: str) -> None:
    """Wait until a span of this name has arrived."""
    receiver.wait_for(lambda: name in {item.span.name for item in receiver.spans()}, SECONDS)


def test_an_exporter_of_the_program_sends_incidents(
    receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An official one, with headers of its own, goes on sending after its first incident."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    provider = TracerProvider(shutdown_on_exit=False)
    exporter = OTLPSpanExporter(
        endpoint=f"{receiver.http_endpoint}/v1/traces", headers={"x-tenant": "shop"}
    )
    recorder = install(
        tracer_provider=provider,
        exporter=exporter,
        tail_seconds=0,
        cooldown_seconds=0,
        metrics=False,
    )
    assert recorder is not None

    for name in ("first", "second"):
        provider.get_tracer("test").start_span(name).end()
        assert recorder.trigger(name)
        wait_for_span(receiver, name)
    uninstall()

    assert {request.headers["x-tenant"] for request in receiver.requests} == {"shop"}
    assert exporter._shutdown is False


def test_without_an_endpoint_a_copy_is_written(rig: RecordingRig, spool: Spool) -> None:
    """OTLP-JSON beside the incident, for the user alone, with every span of the window."""
    pytest.importorskip("opentelemetry.exporter.otlp.json.file")
    make_traces(rig, 20)
    entry = add_incident(rig, spool, exported_to={"0": 50}, pipeline_endpoint="http://backend:1")

    deliver(spool)

    path = spool.json_path(entry)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    spans = [
        span
        for line in lines
        for group in line["resourceSpans"]
        for scoped in group["scopeSpans"]
        for span in scoped["spans"]
    ]
    contexts = [span.get_span_context() for span in rig.ended.spans]
    assert {f"{context.span_id:016x}" for context in contexts if context} <= {
        span["spanId"] for span in spans
    }
    assert len({span["spanId"] for span in spans}) == len(spans)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    state = spool.find(entry.incident_id).state
    assert (state.delivered, state.endpoint) == (True, str(path))
    assert not list(path.parent.glob("*.part"))


def test_ids_of_an_incident_are_those_of_its_id(
    rig: RecordingRig, receiver: OtlpReceiver, spool: Spool
) -> None:
    """Every span says which incident it came with, so that a backend can find them all."""
    make_traces(rig, 2)
    add_incident(rig, spool)

    deliver(spool, endpoint=receiver.grpc_endpoint)

    for item in receiver.spans():
        stamps = {each.key: each.value.string_value for each in item.span.attributes}
        assert stamps["flight_recorder.incident.id"] == INCIDENT_ID
