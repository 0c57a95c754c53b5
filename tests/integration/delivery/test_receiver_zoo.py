"""Whatever a receiver does, an incident arrives, stays or is told of, and the next one goes."""

from __future__ import annotations

import logging
import re
import resource
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

import pytest
from opentelemetry.sdk.trace.export import SpanExporter

from otel_flight.delivery.receiver.exporters import build_exporter
from otel_flight.delivery.receiver.signals import SPANS
from otel_flight.ground.deadline import Deadline
from tests.support.receivers.certificates import (
    AUTHORITY,
    SERVER_CERTIFICATE,
    SERVER_KEY,
    ServerCertificates,
)
from tests.support.receivers.otlp_messages import Transport
from tests.support.receivers.otlp_receiver import OtlpReceiver
from tests.support.receivers.zoo.behaviour import Behaviour, not_taking
from tests.support.receivers.zoo.grpc_zoo import GRPC_CALLS, GRPC_CONNECTIONS, Call, grpc_zoo
from tests.support.receivers.zoo.http_zoo import HTTP_ZOO
from tests.support.receivers.zoo.tcp_zoo import TcpZoo, Visit
from tests.support.rigs.delivery_station import Station
from tests.support.rigs.recording_rig import RecordingRig

TIMEOUT_SECONDS: Final = 2.0
LONGEST_SECONDS: Final = 15.0
"""No delivery takes longer: one attempt, a second one of the exporter's own, and a busy machine."""
MOST_KIB: Final = 64 * 1024
"""No answer makes the process grow by more. (One by gRPC is made in the same process.)"""
TRANSPORTS: Final[tuple[Transport, ...]] = ("grpc", "http/protobuf")
by_transport = pytest.mark.parametrize("transport", TRANSPORTS)


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """A proper receiver."""
    with OtlpReceiver() as receiver:
        yield receiver


class Sending:
    """Incidents on their way to one endpoint, with the official exporter.

    Args:
        rig: records their spans.
        spool: where they are.
        caplog: what was said about them.
    """

    def __init__(self, rig: RecordingRig, spool: Path, caplog: pytest.LogCaptureFixture) -> None:
        self._rig = rig
        self._spool = spool
        self._caplog = caplog
        self._station: Station | None = None

    def begin(self, endpoint: str, transport: Transport) -> Station:
        """Deliver to this endpoint from now on."""
        station = Station(self._rig, self._spool, endpoint=endpoint, protocol=transport)
        station.use(
            lambda settings, _: cast(
                "SpanExporter", build_exporter(SPANS, settings, TIMEOUT_SECONDS)
            )
        )
        self._station = station
        return station

    def stop(self) -> None:
        """End the thread that delivers."""
        if self._station is not None:
            self._station.worker.stop(Deadline.after(10.0))

    def check(self, behaviour: Behaviour[Any], station: Station) -> None:
        """Send an incident: it becomes what the behaviour says, in time, with a word at most."""
        entry = station.add(1, "first", "second")
        before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.monotonic()
        station.deliver()
        seconds = time.monotonic() - start
        more_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib

        state = station.state(entry)
        messages = [each.message for each in self._caplog.records if each.name == "otel_flight"]
        assert station.guard.errors() == ()
        assert state.delivered == (behaviour.outcome != "kept"), state
        assert bool(state.undeliverable_spans) == (behaviour.outcome == "without some")
        assert len(messages) == bool(behaviour.said), messages
        assert re.search(behaviour.said, " ".join(messages))
        assert "s3cret" not in " ".join([*messages, state.last_error])
        assert seconds < LONGEST_SECONDS
        assert more_kib < MOST_KIB or station.settings.protocol == "grpc"

    def check_next(
        self, behaviour: Behaviour[Any], station: Station, receiver: OtlpReceiver
    ) -> None:
        """Send another one to what is a proper receiver now; what was kept goes as well."""
        later = station.add(2, "later")

        station.deliver()

        assert station.state(later).delivered
        names = {item.span.name for item in receiver.spans()}
        assert "later" in names
        assert ("first" in names) == (behaviour.outcome == "kept")


@pytest.fixture
def sending(
    own_environment: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> Iterator[Sending]:
    """What sends incidents to an endpoint of the test's."""
    caplog.set_level(logging.WARNING, "otel_flight")
    with RecordingRig(own_environment) as rig:
        sending = Sending(rig, tmp_path / "spool", caplog)
        yield sending
        sending.stop()


def by_name(behaviour: Behaviour[Any]) -> str:
    """Return what a behaviour is called."""
    return behaviour.name


def port_of(endpoint: str) -> int:
    """Return the port of an endpoint."""
    return int(endpoint.rpartition(":")[2])


@pytest.mark.parametrize("behaviour", HTTP_ZOO, ids=by_name)
def test_whatever_is_answered_by_http(
    behaviour: Behaviour[Visit], receiver: OtlpReceiver, sending: Sending
) -> None:
    """Nothing is lost without a word, nothing holds up the delivery, and nothing is redirected."""
    with TcpZoo(port_of(receiver.http_endpoint)) as zoo:
        zoo.behave(behaviour.answer)
        station = sending.begin(f"http://127.0.0.1:{zoo.port}", "http/protobuf")
        sending.check(behaviour, station)

        zoo.behave(None)
        sending.check_next(behaviour, station, receiver)

    assert all(head.startswith(b"POST /v1/traces ") for head in zoo.heads)


@pytest.mark.parametrize("behaviour", GRPC_CALLS, ids=by_name)
def test_whatever_is_answered_by_grpc(
    behaviour: Behaviour[Call], receiver: OtlpReceiver, sending: Sending
) -> None:
    """Nothing is lost without a word, and nothing holds up the delivery."""
    with grpc_zoo(behaviour.answer) as port, TcpZoo(port) as zoo:
        station = sending.begin(f"http://127.0.0.1:{zoo.port}", "grpc")
        sending.check(behaviour, station)

        zoo.pass_on_to(port_of(receiver.grpc_endpoint))
        sending.check_next(behaviour, station, receiver)


@pytest.mark.parametrize("behaviour", GRPC_CONNECTIONS, ids=by_name)
def test_whatever_does_not_speak_grpc(
    behaviour: Behaviour[Visit], receiver: OtlpReceiver, sending: Sending
) -> None:
    """Nothing is lost without a word, and nothing holds up the delivery."""
    with TcpZoo(port_of(receiver.grpc_endpoint)) as zoo:
        zoo.behave(behaviour.answer)
        station = sending.begin(f"http://127.0.0.1:{zoo.port}", "grpc")
        sending.check(behaviour, station)

        zoo.behave(None)
        sending.check_next(behaviour, station, receiver)


@by_transport
def test_nobody_is_there(transport: Transport, receiver: OtlpReceiver, sending: Sending) -> None:
    """The incident waits until somebody is."""
    endpoint = receiver.endpoint(transport)
    receiver.stop()
    behaviour: Behaviour[None] = not_taking("is not there", print, "refused|Failed to connect")
    station = sending.begin(endpoint, transport)
    sending.check(behaviour, station)

    receiver.start()
    sending.check_next(behaviour, station, receiver)


@by_transport
@pytest.mark.parametrize("is_encrypted", [True, False], ids=["unknown authority", "plain text"])
def test_no_encryption_comes_about(
    transport: Transport, is_encrypted: bool, sending: Sending
) -> None:
    """Neither with a certificate that nobody knows, nor where nothing is encrypted."""
    behaviour: Behaviour[None] = not_taking("", print, "SSL|UNAVAILABLE|DEADLINE_EXCEEDED")
    with OtlpReceiver(certificates=ServerCertificates() if is_encrypted else None) as receiver:
        endpoint = receiver.endpoint(transport).replace("http:", "https:")
        sending.check(behaviour, sending.begin(endpoint, transport))

        assert receiver.spans() == []


@by_transport
def test_an_encrypted_answer_does_not_hold_up_the_delivery(
    transport: Transport,
    receiver: OtlpReceiver,
    sending: Sending,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Bytes that come now and then within TLS are no more answer than without it."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(AUTHORITY))
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(SERVER_CERTIFICATE, SERVER_KEY)
    tls.set_alpn_protocols(["h2" if transport == "grpc" else "http/1.1"])
    is_http = transport == "http/protobuf"
    zoo_of_transport = HTTP_ZOO if is_http else GRPC_CONNECTIONS
    name = "drips its headers" if is_http else "drips its settings"
    behaviour = next(each for each in zoo_of_transport if each.name == name)
    with TcpZoo(port_of(receiver.endpoint(transport)), tls) as zoo:
        zoo.behave(behaviour.answer)
        station = sending.begin(f"https://127.0.0.1:{zoo.port}", transport)
        sending.check(behaviour, station)

        zoo.behave(None)
        sending.check_next(behaviour, station, receiver)
