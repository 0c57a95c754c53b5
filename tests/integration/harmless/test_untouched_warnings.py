"""What a program filters of warnings, and what the SDK counts of it, is as without the recorder."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys, warnings
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider([reader], shutdown_on_exit=False))
provider = TracerProvider(shutdown_on_exit=False)
tracer = provider.get_tracer("tests")

def warn():
    warnings.warn("said once", DeprecationWarning)

warn()
before = list(warnings.filters)
if sys.argv[1] == "installed":
    import otel_flight
    otel_flight.install(tracer_provider=provider, export="off", metrics=False).start()
with tracer.start_as_current_span("a"):
    warn()
print(before == warnings.filters)
data = reader.get_metrics_data()
for resource in data.resource_metrics if data else ():
    for scope in resource.scope_metrics:
        for metric in scope.metrics:
            for point in metric.data.data_points:
                print(metric.name, sorted(point.attributes.items()), point.value)
"""


@pytest.mark.parametrize("counted", ["false", "true"])
def test_a_recorder_changes_neither(counted: str) -> None:
    """A warning is shown once where it is said twice, and our own spans are not the program's."""
    environment = {"OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED": counted}
    done = [
        subprocess.run(
            [sys.executable, "-W", "default", "-c", PROGRAM, what],
            capture_output=True,
            check=True,
            text=True,
            env=os.environ | environment,
        )
        for what in ("plain", "installed")
    ]

    assert done[0].stdout == done[1].stdout
    assert done[0].stderr == done[1].stderr
    assert done[1].stderr.count("said once") == 1
