"""A Collector that asks for certificates and a token: without them incidents wait, harming nobody.

Each time a real service under light load sends to a real Collector, which forwards to a Jaeger.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backends.backend_process import needs_backends
from tests.backends.forwarding import PROTOCOLS, Protocol, delivering_to, forwarding
from tests.backends.loaded_service import LoadedService, assert_whole_and_once
from tests.support.backends.collector_process import CollectorProcess, Ports
from tests.support.backends.jaeger_process import JaegerProcess
from tests.support.receivers.certificates import (
    AUTHORITY,
    CLIENT_CERTIFICATE,
    CLIENT_KEY,
    SERVER_CERTIFICATE,
    SERVER_KEY,
)

pytestmark = [*needs_backends("collector", "jaeger"), pytest.mark.timeout(180)]
by_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)

TOKEN = "b3BlbiBzZXNhbWU="
RIGHT = {
    "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{TOKEN}",
    "OTEL_EXPORTER_OTLP_CERTIFICATE": str(AUTHORITY),
    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": str(CLIENT_CERTIFICATE),
    "OTEL_EXPORTER_OTLP_CLIENT_KEY": str(CLIENT_KEY),
}
LACKS: dict[str, tuple[dict[str, str], dict[Protocol, str]]] = {
    "wrong-token": (
        RIGHT | {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20guessed"},
        {"grpc": "UNAUTHENTICATED", "http/protobuf": "401 Unauthorized"},
    ),
    "no-authority": (
        {name: value for name, value in RIGHT.items() if not name.endswith("OTLP_CERTIFICATE")},
        {"grpc": "CERTIFICATE_VERIFY_FAILED", "http/protobuf": "certificate verify failed"},
    ),
    "no-certificate": (
        {name: value for name, value in RIGHT.items() if "OTLP_CLIENT" not in name},
        # By HTTP the connection may break before the alert that gives the reason is read.
        {"grpc": "UNAVAILABLE", "http/protobuf": "Error: "},
    ),
}
"""What a service does not have, and what it is told then."""


@pytest.fixture(autouse=True)
def no_other_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what requests, below the HTTP exporter, prefers to the exporter's variables."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def jaeger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JaegerProcess]:
    """Run a Jaeger for all tests; each has a service of its own."""
    with JaegerProcess(tmp_path_factory.mktemp("jaeger")) as process:
        yield process


@pytest.fixture
def collector(jaeger: JaegerProcess, tmp_path: Path) -> Iterator[CollectorProcess]:
    """Run a Collector that asks for a client certificate and for a token."""
    guarded = {
        "tls": {
            "cert_file": str(SERVER_CERTIFICATE),
            "key_file": str(SERVER_KEY),
            "client_ca_file": str(AUTHORITY),
        },
        "auth": {"authenticator": "bearertokenauth"},
    }
    extensions = {"bearertokenauth": {"token": TOKEN}}

    def configuration(ports: Ports) -> str:
        backend_port = jaeger.ports["grpc"]
        return forwarding(ports, backend_port, grpc=guarded, http=guarded, extensions=extensions)

    with CollectorProcess(tmp_path / "collector", configuration) as process:
        yield process


def secured(collector: CollectorProcess, protocol: Protocol) -> dict[str, str]:
    """Return the variables of a service that sends to it, all but who it is."""
    port = collector.ports["grpc" if protocol == "grpc" else "http"]
    return delivering_to(f"https://127.0.0.1:{port}", protocol)


@by_protocol
def test_an_incident_gets_through_with_what_is_asked_for(
    collector: CollectorProcess, jaeger: JaegerProcess, tmp_path: Path, protocol: Protocol
) -> None:
    """Certificates and headers of the usual variables are enough: whole and once."""
    environment = secured(collector, protocol) | RIGHT
    with LoadedService(f"access-{protocol[:4]}", tmp_path / "service", environment) as service:
        incident_id = service.fail()
        state = service.wait_until_delivered(incident_id)
        service.load.wait_for_more(10)

        service.assert_unharmed()
    assert (state.attempts, state.resent_chunks, state.undeliverable_spans) == (1, 0, 0)
    assert_whole_and_once(jaeger, service, incident_id)


@by_protocol
@pytest.mark.parametrize("lack", list(LACKS))
def test_what_is_kept_out_waits_for_the_next_process(
    collector: CollectorProcess,
    jaeger: JaegerProcess,
    tmp_path: Path,
    protocol: Protocol,
    lack: str,
) -> None:
    """The reason is kept, no request is harmed; configured rightly, the next one delivers."""
    lacking, reasons = LACKS[lack]
    environment = secured(collector, protocol)
    name = f"{lack}-{protocol[:4]}"
    with LoadedService(name, tmp_path / "service", environment | lacking) as service:
        incident_id = service.fail()
        failing = service.wait_until_failing(incident_id)
        service.stop()

        service.assert_unharmed()
    with LoadedService(name, tmp_path / "service", environment | RIGHT) as configured:
        state = configured.wait_until_delivered(incident_id)
        configured.load.wait_for_more(10)

        configured.assert_unharmed()
    assert reasons[protocol] in failing.last_error
    assert state.undeliverable_spans == 0
    assert_whole_and_once(jaeger, configured, incident_id)
