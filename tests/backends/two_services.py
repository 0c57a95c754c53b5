"""Two real services, one calling the other over HTTP, each with a recorder and a witness."""

from __future__ import annotations

import contextlib
import http.client
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.spool.directory import SpoolEntry
from otel_flight.incidents.spool.spool import Spool
from tests.backends.scenario import Scenario, read_spans
from tests.support.processes.service_process import ServiceProcess, free_port

STOREFRONT: Final = "storefront"
WAREHOUSE: Final = "warehouse"

_REPOSITORY: Final = Path(__file__).parent.parent.parent
_PATIENCE_SECONDS: Final = 60.0
_ENVIRONMENT: Final = {
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
    # What the test itself asks of them leaves no span.
    "OTEL_PYTHON_FASTAPI_EXCLUDED_URLS": "witness,release",
    # Named, as the recorder adds the host's name to a resource without one.
    "OTEL_RESOURCE_ATTRIBUTES": "host.name=web-1",
    # Failing requests alone make incidents: not their parts, nor a machine that is busy.
    "OTEL_FLIGHT_ERROR_SPAN": "root",
    "OTEL_FLIGHT_LIGHT_SPANS": "python",  # the witness does not see those end that live in C
    "OTEL_FLIGHT_SLOW_ROOT": "off",
    "OTEL_FLIGHT_GC_PAUSE_TRIGGER": "off",
    "OTEL_FLIGHT_LOOP_STALL_TRIGGER": "off",
    "OTEL_FLIGHT_MEMORY_TRIGGER": "off",
    "OTEL_FLIGHT_THROTTLING_TRIGGER": "off",
    "OTEL_FLIGHT_TAIL": "500ms",
}


class TwoServices:
    """The storefront and the warehouse as processes, until the `with` block ends.

    Both run under `opentelemetry-instrument`; nothing in them knows of the recorder.

    Args:
        folder: for what each leaves behind.
        suffix: what their `service.name` ends with, to tell them from others in one backend.
        environment: where they send their incidents, and their other spans.
    """

    def __init__(self, folder: Path, suffix: str, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._suffix = suffix
        self._environment = {**_ENVIRONMENT, **environment}
        self._ports = {WAREHOUSE: free_port(), STOREFRONT: free_port()}
        self._processes: dict[str, ServiceProcess] = {}
        self._exits = contextlib.ExitStack()
        self._waiting: http.client.HTTPConnection | None = None

    def __enter__(self) -> TwoServices:
        for name in (WAREHOUSE, STOREFRONT):
            self._processes[name] = self._exits.enter_context(self._start(name))
        for process in self._processes.values():
            process.wait_until_ready(_PATIENCE_SECONDS)
        return self

    def __exit__(self, *exception: object) -> None:
        self._exits.close()

    def get(self, path: str) -> int:
        """Ask the storefront; return the status of its answer."""
        return self._ask(STOREFRONT, "GET", path)

    def keep_one_waiting(self) -> None:
        """Send a request that the warehouse does not answer until `release`."""
        self._waiting = http.client.HTTPConnection("127.0.0.1", self._ports[STOREFRONT])
        self._exits.callback(self._waiting.close)
        self._waiting.request("GET", "/wait")
        self._processes[WAREHOUSE].wait_for_output("waiting")

    def release(self) -> None:
        """Let the request go that was kept waiting, and take its answer."""
        assert self._waiting is not None
        assert self._ask(WAREHOUSE, "POST", "/release") == 200
        with self._waiting.getresponse() as response:
            assert b"done" in response.read()

    def stop(self) -> None:
        """Ask both to end, and wait for that: what they still had to export is exported then."""
        for process in reversed(self._processes.values()):
            # As Ctrl-C does: after SIGTERM uvicorn lets the signal kill it, and the SDK's batch of
            # spans with it.
            process.send_signal(signal.SIGINT)
            process.wait(_PATIENCE_SECONDS)

    def wait_for_incidents(self, count: int) -> None:
        """Block until each service has delivered so many incidents.

        Raises:
            ServiceFailedError: one has not in time, or died.
        """
        for name, process in self._processes.items():

            def is_through(name: str = name) -> bool:
                entries = self._entries(name)
                titles = [read_incident(entry.path).manifest.title for entry in entries]
                assert len(titles) <= count, titles
                return len(entries) == count and all(entry.state.delivered for entry in entries)

            what = f"{name} has not delivered {count} incidents"
            process.wait_for(is_through, what, _PATIENCE_SECONDS)

    def scenarios(self) -> dict[str, Scenario]:
        """Return what happened so far in each service, by `STOREFRONT` and `WAREHOUSE`."""
        return {name: self._happening(name) for name in self._processes}

    def _happening(self, name: str) -> Scenario:
        assert self._ask(name, "POST", "/witness") == 200
        folder = self._folder / name
        return Scenario(
            self._service(name),
            read_spans(folder / "ended.binpb"),
            read_spans(folder / "open.binpb"),
            [read_incident(entry.path) for entry in self._entries(name)],
        )

    def _start(self, name: str) -> ServiceProcess:
        folder = self._folder / name
        folder.mkdir(parents=True)
        port = str(self._ports[name])
        own = {
            "OTEL_SERVICE_NAME": self._service(name),
            "OTEL_FLIGHT_SPOOL_DIRECTORY": str(folder / "spool"),
            "OTEL_FLIGHT_RING_DIRECTORY": str(folder / "ring"),
            "WITNESS_FOLDER": str(folder),
            "WAREHOUSE_URL": f"http://127.0.0.1:{self._ports[WAREHOUSE]}",
        }
        return ServiceProcess(
            ["-m", "uvicorn", f"tests.backends.programs.{name}:app", "--port", port],
            instrumented=True,
            environment={**own, **self._environment},
            working_directory=_REPOSITORY,
            output_path=folder / "output.log",
            ready_address=f"tcp://127.0.0.1:{port}",
        )

    def _service(self, name: str) -> str:
        return f"{name}-{self._suffix}"

    def _entries(self, name: str) -> list[SpoolEntry]:
        return Spool(self._folder / name / "spool", 1 << 30, 100).entries()

    def _ask(self, name: str, method: str, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self._ports[name], timeout=30.0)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            response.read()
            return response.status
        finally:
            connection.close()
