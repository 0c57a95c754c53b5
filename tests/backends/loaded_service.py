"""A real service under light load whose backend fails, and what became of its incident."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import final

from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.spool.delivery_state import DeliveryState
from otel_flight.incidents.spool.directory import SpoolEntry
from otel_flight.incidents.spool.spool import Spool
from tests.backends.scenario import INCIDENT_ID, KIND, application_spans, key, of_kind
from tests.support.backends.jaeger_process import JaegerProcess
from tests.support.processes.http_requests import status_of
from tests.support.processes.light_load import LightLoad
from tests.support.processes.service_process import ServiceFailedError, ServiceProcess, free_port

LONGEST_SECONDS = 5.0
"""No request may take longer. Generous, as the machine may be busy, and yet less than any wait of
an exporter: a request that waited for one would be found."""

_PROGRAMS = Path(__file__).parent / "programs"


@final
class LoadedService:
    """Run the service until the `with` block ends, under load from when it is ready.

    Args:
        name: its `service.name`.
        folder: for its spool and its ring; another service with the same one goes on there.
        environment: where it sends its incidents, and how.
    """

    def __init__(self, name: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self._spool = Spool(folder / "spool", 1 << 30, 100)
        self._url = f"http://127.0.0.1:{(port := free_port())}"
        self.load = LightLoad(f"{self._url}/orders")
        self._process = ServiceProcess(
            ["-m", "uvicorn", "loaded:application", "--port", str(port), "--log-level", "warning"],
            instrumented=True,
            environment={
                "OTEL_SERVICE_NAME": name,
                "OTEL_TRACES_EXPORTER": "none",
                "OTEL_METRICS_EXPORTER": "none",
                "OTEL_LOGS_EXPORTER": "none",
                "OTEL_EXPORTER_OTLP_TIMEOUT": "2",
                "OTEL_FLIGHT_SPOOL_DIRECTORY": str(folder / "spool"),
                "OTEL_FLIGHT_RING_DIRECTORY": str(folder / "ring"),
                "OTEL_FLIGHT_TAIL": "200ms",
                # Only the failing request makes an incident, not how busy the machine is.
                "OTEL_FLIGHT_SLOW_ROOT": "off",
                **environment,
            },
            working_directory=_PROGRAMS,
            ready_address=f"{self._url}/ready",
        )

    def __enter__(self) -> LoadedService:
        self._process.__enter__()
        try:
            self._process.wait_until_ready()
        except BaseException:
            self._process.__exit__(None, None, None)
            raise
        self.load.start()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.load.stop()
        self._process.__exit__(exception_type, exception, traceback)

    def request(self, path: str) -> int:
        """Send one request besides the load, and return its status."""
        return status_of(self._url + path)

    def fail(self, requests_before: int = 40) -> str:
        """Let a request fail when the load has run for a while; return the incident's id."""
        self.load.wait_for_more(requests_before)
        assert self.request("/fail") == 500
        self._process.wait_for(lambda: bool(self._incidents()), "no incident was kept")
        (entry,) = self._incidents()
        return entry.incident_id

    def state(self, incident_id: str) -> DeliveryState:
        """Return how far the delivery of an incident is."""
        return self._spool.find(incident_id).state

    def incident(self, incident_id: str) -> Incident:
        """Return an incident as it is in the spool."""
        return read_incident(self._spool.find(incident_id).path)

    def wait_for_state(
        self,
        incident_id: str,
        is_reached: Callable[[DeliveryState], bool],
        timeout_seconds: float = 60.0,
    ) -> DeliveryState:
        """Block until the delivery of an incident has reached something, and return its state."""
        found: list[DeliveryState] = []

        def is_there() -> bool:
            found[:] = [self.state(incident_id)]
            return is_reached(found[0])

        try:
            self._process.wait_for(is_there, "the delivery does not get there", timeout_seconds)
        except ServiceFailedError as error:
            message = f"{error}\nThe delivery: {found}"
            raise AssertionError(message) from error
        return found[0]

    def wait_until_delivered(
        self, incident_id: str, timeout_seconds: float = 60.0
    ) -> DeliveryState:
        """Block until an incident is delivered, and return the state of that."""
        return self.wait_for_state(incident_id, lambda state: state.delivered, timeout_seconds)

    def wait_until_failing(self, incident_id: str) -> DeliveryState:
        """Block until an attempt to deliver has failed, with load during and after it."""
        self.wait_for_state(incident_id, lambda state: bool(state.last_error))
        self.load.wait_for_more(40)
        return self.state(incident_id)

    def stop(self) -> None:
        """End the load, and the service in an orderly way."""
        self.load.stop()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()

    def kill(self) -> None:
        """End the service at once, as a crash would, and then the load."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self.load.stop()

    def assert_unharmed(self) -> None:
        """Fail unless every request was answered as usual, and none was late."""
        complaints = self.load.complaints(LONGEST_SECONDS)
        assert complaints == [], f"of {self.load.count} requests; {self._process.output()}"

    def _incidents(self) -> list[SpoolEntry]:
        return [
            entry
            for entry in self._spool.entries()
            if any(
                cause.trigger == "error_span" for cause in read_incident(entry.path).manifest.causes
            )
        ]


def copies_in(jaeger: JaegerProcess, service: str, incident: Incident) -> Counter[tuple[str, str]]:
    """Return how often each span of an incident's window is stored; fail if it has no trace."""
    incident_id = incident.manifest.incident_id
    traces = jaeger.find_traces(service, tags={INCIDENT_ID: incident_id})
    spans = [span for each in traces for span in jaeger.stored_spans(each["traceID"])]
    roots = {key(root) for root in of_kind(spans, "incident")}
    assert len(roots) == 1, f"{len(roots)} incident traces among {len(traces)} traces"
    assert jaeger.find_traces(service, tags={KIND: "incident", INCIDENT_ID: incident_id})
    return Counter(map(key, application_spans(spans)))


def window_of(incident: Incident) -> set[tuple[str, str]]:
    """Return the ids of the spans in an incident's window."""
    records = [found.record for found in incident.window.spans()]
    return {(f"{record.trace_id:032x}", f"{record.span_id:016x}") for record in records}


def assert_whole_and_once(jaeger: JaegerProcess, service: LoadedService, incident_id: str) -> None:
    """Fail unless Jaeger has each span of the window exactly once."""
    incident = service.incident(incident_id)
    copies = copies_in(jaeger, service.name, incident)
    assert window_of(incident) - set(copies) == set()
    assert {span: count for span, count in copies.items() if count > 1} == {}


def assert_whole(
    jaeger: JaegerProcess, service: LoadedService, incident_id: str, *, most_repeated: int
) -> None:
    """Fail if Jaeger lacks a span of the window, or has more than so many of them twice."""
    incident = service.incident(incident_id)
    copies = copies_in(jaeger, service.name, incident)
    assert window_of(incident) - set(copies) == set()
    assert sum(count - 1 for count in copies.values()) <= most_repeated
