"""A real forking server: gunicorn loads the instrumentation in its master, and then forks."""

from __future__ import annotations

import signal
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.spool.spool import Spool
from tests.support.processes.service_process import ServiceProcess, free_port

PROGRAMS = Path(__file__).parent / "programs"
pytest.importorskip("gunicorn")


def get(port: int, path: str) -> int:
    """Request a path; return the process id of the worker that served it."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as response:
            return int(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return int(error.read())


@pytest.mark.parametrize("preload", [[], ["--preload"]], ids=["plain", "preload"])
def test_each_worker_records_for_itself(
    tmp_path: Path, own_environment: Path, preload: list[str]
) -> None:
    """The incident is of the worker that failed, and whole; no ring is left behind."""
    port = free_port()
    command = ["-m", "gunicorn", "-w", "2", "-b", f"127.0.0.1:{port}", *preload, "wsgi_app"]
    with ServiceProcess(
        command,
        instrumented=True,
        environment={
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_FLIGHT_TAIL": "100ms",
            "OTEL_FLIGHT_WINDOW_BYTES": "1MiB",
        },
        working_directory=PROGRAMS,
        ready_address=f"http://127.0.0.1:{port}/",
    ) as server:
        server.wait_until_ready()
        served = [get(port, f"/item{number}") for number in range(30)]
        failed_in = get(port, "/fail")
        server.send_signal(signal.SIGTERM)
        assert server.wait() == 0, server.output()

    (entry,) = Spool(tmp_path / "spool", 1 << 30, 10).entries()
    incident = read_incident(entry.path)
    assert incident.manifest.process["pid"] == failed_in
    names = [span.record.name for span in incident.window.spans()]
    assert names.count("GET /fail") == 1
    expected = sum(pid == failed_in for pid in served)
    assert sum(name.startswith("GET /item") for name in names) == expected
    assert list(own_environment.iterdir()) == []
