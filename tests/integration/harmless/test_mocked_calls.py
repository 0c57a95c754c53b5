"""A test of the program's that puts mocks in the place of the system's calls gets none of ours."""

from __future__ import annotations

from pathlib import Path

from tests.support.processes.service_process import ServiceProcess

PROGRAM = """
import contextlib, logging, time
from unittest import mock
from opentelemetry.sdk.trace import TracerProvider
import otel_flight

NAMES = ["open", "close", "read", "write", "getpid", "geteuid", "kill", "replace", "fstat"]
provider = TracerProvider(shutdown_on_exit=False)
recorder = otel_flight.install(tracer_provider=provider)
recorder.start()
with contextlib.ExitStack() as stack:
    mocks = {name: stack.enter_context(mock.patch(f"os.{name}")) for name in NAMES}
    with provider.get_tracer("shop").start_as_current_span("checkout"):
        recorder.trigger("odd")
    while not recorder.statistics().incidents_written and not recorder.statistics().errors:
        time.sleep(0.01)
print({name: each.mock_calls for name, each in mocks.items() if each.called})
print(recorder.statistics().incidents_written, recorder.statistics().errors)
recorder.stop()
"""


def test_mocks_of_the_systems_calls_see_nothing_of_ours(tmp_path: Path) -> None:
    """A mock is the number 1 to whoever asks: to close that closes standard output."""
    environment = {
        "OTEL_FLIGHT_EXPORT": "off",  # a log record, of a warning say, asks for the process id
        "OTEL_FLIGHT_INCIDENT_LOG": "off",
        "OTEL_FLIGHT_SPOOL_DIRECTORY": str(tmp_path),
        "OTEL_FLIGHT_TAIL": "0",
        "OTEL_FLIGHT_TICK": "10ms",
        "OTEL_FLIGHT_PROCESS": "100ms",
    }
    with ServiceProcess(["-c", PROGRAM], environment=environment) as process:
        code = process.wait()
        output = process.output()

    assert code == 0, output
    assert output.endswith("{}\n1 ()\n")
    assert len(list(tmp_path.glob("*.flight"))) == 1
