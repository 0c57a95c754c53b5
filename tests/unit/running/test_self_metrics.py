"""The recorder's own metrics, through the SDK's metric reader."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
import otel_flight

reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider([reader]))
provider = TracerProvider()
recorder = otel_flight.install(tracer_provider=provider, window_bytes="512KiB")
tracer = provider.get_tracer("t")
held = tracer.start_span("open")
for _ in range(10):
    tracer.start_span("work").end()
recorder.trigger("now")
found = {}
for resource in reader.get_metrics_data().resource_metrics:
    for scope in resource.scope_metrics:
        assert scope.scope.name == "otel_flight"
        for metric in scope.metrics:
            for point in metric.data.data_points:
                key = (metric.name, *sorted(point.attributes.values()))
                found[key] = (point.value, metric.unit)
assert found["flight_recorder.records", "spans"] == (21, "{record}"), found
assert found["flight_recorder.records.lost", "evicted", "spans"] == (0, "{record}"), found
assert found["flight_recorder.open_spans",] == (1, "{span}"), found
assert found["flight_recorder.window.size",][0] <= 512 * 1024, found
assert found["flight_recorder.window.age",][0] > 0, found
assert found["flight_recorder.firings", "manual", "opened"] == (1, "{firing}"), found
assert found["flight_recorder.incidents", "written"][1] == "{incident}", found
assert found["flight_recorder.delivery.spans",] == (0, "{span}"), found
assert found["flight_recorder.delivery.spans.undeliverable",] == (0, "{span}"), found
assert found["flight_recorder.delivery.requests.repeated",] == (0, "{request}"), found
held.end()
provider.shutdown()
print("all there")
"""


def test_every_instrument_is_observed() -> None:
    """A metric reader sees records, losses, coverage, firings, incidents and delivery."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM], capture_output=True, text=True, check=False
    )

    assert result.returncode == 0, result.stderr
    assert "all there" in result.stdout
