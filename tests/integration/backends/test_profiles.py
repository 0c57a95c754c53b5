"""Stack samples on their way through a real Collector, as profiles."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from otel_flight.incidents.spool.spool import Spool
from tests.backends.backend_process import needs_backends
from tests.integration.delivery.test_profile_delivery import (
    SAMPLES,
    deliver,
    profiles_in,
    slow_incident,
)
from tests.support.backends.collector_process import CollectorProcess
from tests.support.receivers.otlp_messages import SIGNALS
from tests.support.receivers.otlp_receiver import OtlpReceiver

pytestmark = [
    *needs_backends("collector"),
    pytest.mark.timeout(60),
    pytest.mark.skipif(
        "profiles" not in {each.name for each in SIGNALS}, reason="opentelemetry-proto is too old"
    ),
]
COLLECTOR = """\
receivers:
  otlp:
    protocols:
      http:
        endpoint: 127.0.0.1:{http}
exporters:
  otlphttp:
    endpoint: {receiver}
    compression: none
extensions:
  health_check:
    endpoint: 127.0.0.1:{health}
service:
  extensions: [health_check]
  pipelines:
    traces:
      receivers: [otlp]
      exporters: [otlphttp]
    profiles:
      receivers: [otlp]
      exporters: [otlphttp]
  telemetry:
    metrics:
      level: none
"""


class ProfilesCollector(CollectorProcess):
    """A Collector that was told to take profiles, which it does not by itself."""

    def arguments(self, configuration_path: Path) -> list[str]:
        """Return the Collector's arguments, the gate among them."""
        gate = "--feature-gates=service.profilesSupport"
        return [*super().arguments(configuration_path), gate]


def test_a_collector_of_another_form_does_not_hurt_the_spans(
    own_environment: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It takes profiles of one development only, and says why it refuses others; spans arrive."""
    spool = Spool(tmp_path / "spool", 1 << 30, 100)
    entry = spool.add(slow_incident(own_environment))

    with OtlpReceiver() as receiver:

        def configuration(ports: Mapping[str, int]) -> str:
            return COLLECTOR.format(receiver=receiver.http_endpoint, **ports)

        with ProfilesCollector(tmp_path / "collector", configuration) as collector:
            endpoint = collector.http_endpoint
            deliver(spool, endpoint=endpoint, profiles_endpoint=endpoint)
            receiver.wait_for_spans(1)

    assert spool.find(entry.incident_id).state.delivered
    if of_profiles := profiles_in(receiver):
        (profile,) = of_profiles[0].resource_profiles[0].scope_profiles[0].profiles
        assert [len(each.timestamps_unix_nano) for each in profile.samples] == [SAMPLES]
    else:
        (warning,) = (each.getMessage() for each in caplog.records if each.name == "otel_flight")
        assert "could not deliver the profiles of incident" in warning
        assert "400 Bad Request: proto: " in warning
