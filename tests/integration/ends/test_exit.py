"""However a program ends, what it had caught is not lost, and it ends in time."""

from __future__ import annotations

import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_flight.ground.clock import monotonic_ns
from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.spool.spool import Spool
from tests.support.processes.service_process import ServiceProcess, free_port
from tests.support.receivers.otlp_receiver import OtlpReceiver

SCRIPT = str(Path(__file__).parent / "programs" / "ending_script.py")


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Return a port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def spool_of(tmp_path: Path) -> Spool:
    """Return the test's spool."""
    return Spool(tmp_path / "spool", 1 << 30, 10)


@pytest.mark.parametrize(
    ("how", "exit_code"),
    [
        ("return", 0),
        ("exit", 0),
        ("exception", 1),
        ("interrupt", -signal.SIGINT),
        ("threads", 0),
        ("terminate", -signal.SIGTERM),
        ("own-handler", 7),
    ],
)
def test_an_incident_of_the_last_moment_is_kept(
    tmp_path: Path, own_environment: Path, how: str, exit_code: int
) -> None:
    """The exit code is the program's own, the incident is in the spool, the ring is gone."""
    with ServiceProcess([SCRIPT, how], environment={"OTEL_FLIGHT_EXPORT": "off"}) as process:
        assert process.wait() == exit_code, process.output()
        output = process.output()

    assert "otel-flight" not in output, output
    (entry,) = spool_of(tmp_path).entries()
    names = [span.record.name for span in read_incident(entry.path).window.spans()]
    assert "failing" in names
    assert list(own_environment.iterdir()) == []


def test_the_signal_can_be_left_alone(tmp_path: Path) -> None:
    """With `handle_sigterm` off the process dies at once, as if the recorder were not there."""
    environment = {"OTEL_FLIGHT_HANDLE_SIGTERM": "false"}
    with ServiceProcess([SCRIPT, "terminate"], environment=environment) as process:
        assert process.wait() == -signal.SIGTERM

    assert spool_of(tmp_path).entries() == []


def test_uvicorn_keeps_its_last_incident(tmp_path: Path, own_environment: Path) -> None:
    """Uvicorn raises SIGTERM again when it is done; what was open is in the spool nonetheless."""
    port = free_port()
    with ServiceProcess(
        ["-m", "uvicorn", "asgi_app:application", "--port", str(port)],
        instrumented=True,
        environment={
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_FLIGHT_TAIL": "60s",
        },
        working_directory=Path(__file__).parent / "programs",
        ready_address=f"http://127.0.0.1:{port}/",
    ) as server:
        server.wait_until_ready()
        with pytest.raises(urllib.error.HTTPError) as failure:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/fail", timeout=10)
        failure.value.close()
        server.send_signal(signal.SIGTERM)
        assert server.wait() == -signal.SIGTERM, server.output()

    (entry,) = spool_of(tmp_path).entries()
    names = [span.record.name for span in read_incident(entry.path).window.spans()]
    assert "GET /fail" in names
    assert list(own_environment.iterdir()) == []


def test_an_incident_of_the_last_moment_is_delivered(tmp_path: Path) -> None:
    """With an endpoint it is not only kept: it arrives before the program has ended."""
    with OtlpReceiver() as receiver:
        environment = {
            "OTEL_FLIGHT_ENDPOINT": receiver.grpc_endpoint,
            "OTEL_FLIGHT_SHUTDOWN_TIMEOUT": "30s",  # the machine may be busy
        }
        with ServiceProcess([SCRIPT, "return"], environment=environment) as process:
            assert process.wait(50) == 0, process.output()
        names = [item.span.name for item in receiver.spans()]

    assert "failing" in names
    (entry,) = spool_of(tmp_path).entries()
    assert entry.state.delivered


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_backend_that_hangs_does_not_hold_up_the_exit(
    tmp_path: Path, silent_port: int, protocol: str
) -> None:
    """The exit takes no longer than the shutdown timeout; the incident stays for the next start."""
    environment = {
        "OTEL_FLIGHT_ENDPOINT": f"http://127.0.0.1:{silent_port}",
        "OTEL_FLIGHT_PROTOCOL": protocol,
        "OTEL_FLIGHT_SHUTDOWN_TIMEOUT": "2s",
    }
    started_ns = monotonic_ns()
    with ServiceProcess([SCRIPT, "return"], environment=environment) as process:
        assert process.wait() == 0, process.output()

    # Starting Python and importing everything takes a few seconds on a slow machine; an exporter
    # that is waited for takes 10 s at least.
    assert (monotonic_ns() - started_ns) / 1e9 < 9
    (entry,) = spool_of(tmp_path).entries()
    assert not entry.state.delivered


def test_the_next_process_delivers_what_the_last_one_could_not(
    tmp_path: Path, silent_port: int
) -> None:
    """What stays in the spool goes out when any process with the same spool records again."""
    broken = {
        "OTEL_FLIGHT_ENDPOINT": f"http://127.0.0.1:{silent_port}",
        "OTEL_FLIGHT_SHUTDOWN_TIMEOUT": "2s",
    }
    with ServiceProcess([SCRIPT, "return"], environment=broken) as process:
        assert process.wait() == 0, process.output()
    (left,) = spool_of(tmp_path).entries()
    program = (
        "import sys, otel_flight\n"
        "from opentelemetry.sdk.trace import TracerProvider\n"
        "provider = TracerProvider()\n"
        "otel_flight.install(tracer_provider=provider)\n"
        "provider.get_tracer('t').start_span('healthy').end()\n"
        "sys.stdin.read()\n"
        "import signal; signal.pause()\n"
    )
    with OtlpReceiver() as receiver:
        environment = {"OTEL_FLIGHT_ENDPOINT": receiver.grpc_endpoint}
        with ServiceProcess(["-c", program], environment=environment):
            receiver.wait_for(
                lambda: "failing" in {item.span.name for item in receiver.spans()}, 20.0
            )

    assert "healthy" not in {item.span.name for item in receiver.spans()}
    assert spool_of(tmp_path).find(left.incident_id).path.exists()


CRASHES = """
import sys
import threading

import otel_flight
from opentelemetry.sdk.trace import TracerProvider

otel_flight.install(tracer_provider=TracerProvider(shutdown_on_exit=False))
worker = threading.Thread(target=lambda: {}["in a thread"])
if "thread" in sys.argv:
    worker.start()
    worker.join()
else:
    {}["in the main thread"]
"""


@pytest.mark.parametrize(("how", "exit_code"), [("main", 1), ("thread", 0)])
def test_an_exception_nobody_handled_is_kept_and_printed_once(
    tmp_path: Path, own_environment: Path, how: str, exit_code: int
) -> None:
    """Without any span: exit code and output are the program's own, the incident is there."""
    environment = {"OTEL_FLIGHT_EXPORT": "off"}
    with ServiceProcess(["-c", CRASHES, how], environment=environment) as process:
        assert process.wait() == exit_code, process.output()
        output = process.output()

    assert output.count("Traceback (most recent call last):") == 1
    assert output.count("KeyError: 'in ") == 1
    (entry,) = spool_of(tmp_path).entries()
    (cause,) = read_incident(entry.path).manifest.causes
    assert cause.title == "unhandled exception KeyError"
    assert list(own_environment.iterdir()) == []


LATE_IMPORT = """
import sys, threading, time

class Late:
    def find_spec(self, name, path=None, target=None):
        if name == "grpc" and threading.current_thread() is not threading.main_thread():
            importing.set()
            time.sleep(1)  # meanwhile the main thread ends

importing = threading.Event()
sys.meta_path.insert(0, Late())
from opentelemetry.sdk.trace import TracerProvider
import otel_flight

provider = TracerProvider()
recorder = otel_flight.install(tracer_provider=provider)
provider.get_tracer("program").start_span("first").end()
assert importing.wait(20)
recorder.trigger("last words")
"""


def test_what_is_sent_with_is_imported_before_the_interpreter_ends() -> None:
    """Also where a thread of ours is at it then: afterwards, gRPC cannot be imported any more."""
    with OtlpReceiver() as receiver:
        environment = {
            "OTEL_FLIGHT_ENDPOINT": receiver.grpc_endpoint,
            "OTEL_FLIGHT_PROTOCOL": "grpc",
            "OTEL_FLIGHT_SHUTDOWN_TIMEOUT": "30s",
        }
        with ServiceProcess(["-c", LATE_IMPORT], environment=environment) as process:
            assert process.wait(50) == 0, process.output()
            assert "could not deliver" not in process.output()
        assert list(receiver.spans())
