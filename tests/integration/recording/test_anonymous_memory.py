"""A machine on which no ring file can be made."""

from __future__ import annotations

from pathlib import Path

from otel_flight.incidents.spool.spool import Spool
from tests.support.processes.service_process import ServiceProcess

PROGRAM = """
import resource

import otel_flight
from opentelemetry.sdk.trace import TracerProvider

resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))  # no file may be larger: no ring fits
provider = TracerProvider()
recorder = otel_flight.install(tracer_provider=provider, window_bytes="1MiB", export="off")
assert recorder.statistics().ring_path == ""
for number in range(10):
    provider.get_tracer("t").start_span("work").end()
recorder.trigger("look")
provider.shutdown()
print("written:", recorder.statistics().incidents_written)
"""


def test_the_window_is_kept_in_anonymous_memory_with_one_warning(
    tmp_path: Path, own_environment: Path
) -> None:
    """The recorder works all the same, and says once what is lost and why."""
    with ServiceProcess(["-c", PROGRAM]) as process:
        assert process.wait() == 0, process.output()
        output = process.output()

    warnings = [line for line in output.splitlines() if "anonymous memory" in line]
    assert len(warnings) == 1
    assert str(own_environment) in warnings[0]
    assert "File too large" in warnings[0]
    assert "written: 1" in output
    assert len(Spool(tmp_path / "spool", 1 << 30, 10).entries()) == 1
