"""Each example is started as its README says, runs into its bug, and leaves an incident of it."""

from __future__ import annotations

from pathlib import Path

from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.spool.spool import Spool
from tests.support.processes.http_requests import status_of
from tests.support.processes.service_process import ServiceProcess, free_port
from tests.support.receivers.otlp_receiver import OtlpReceiver

EXAMPLES = Path(__file__).parents[3] / "examples"
INCIDENTS_ONLY = {
    "OTEL_TRACES_EXPORTER": "otel_flight",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
    "OTEL_FLIGHT_TAIL": "100ms",
}


def the_incident(tmp_path: Path) -> Incident:
    """Return the only incident in the test's spool."""
    (entry,) = Spool(tmp_path / "spool", 1 << 30, 100).entries()
    return read_incident(entry.path)


def span_names(incident: Incident) -> list[str]:
    """Return the names of the spans in an incident's window."""
    return [span.record.name for span in incident.window.spans()]


def test_fastapi_service(tmp_path: Path) -> None:
    """A failing and then a slow request of the shop reach the backend, with those beside them."""
    port = free_port()
    with (
        OtlpReceiver() as receiver,
        ServiceProcess(
            ["-m", "uvicorn", "app:app", "--port", str(port)],
            instrumented=True,
            environment={
                **INCIDENTS_ONLY,
                "OTEL_SERVICE_NAME": "shop",
                "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.grpc_endpoint,
            },
            working_directory=EXAMPLES / "fastapi_service",
            ready_address=f"tcp://127.0.0.1:{port}",
        ) as service,
    ):
        service.wait_until_ready()
        url = f"http://127.0.0.1:{port}"

        def names() -> list[str]:
            return [received.span.name for received in receiver.spans()]

        assert [status_of(f"{url}/items/{number}") for number in (1, 2, 3)] == [200] * 3
        assert names() == []
        assert status_of(f"{url}/items/4") == 500
        failed_item = "incident: error span GET /items/{number} (in load item)"
        receiver.wait_for(lambda: failed_item in names(), 20)
        receiver.wait_for(lambda: names().count("load item") == 4, 20)
        assert status_of(f"{url}/report") == 200
        receiver.wait_for(lambda: "incident: slow local root GET /report" in names(), 20)

        resources = {
            attribute.value.string_value
            for received in receiver.spans()
            for attribute in received.resource.attributes
            if attribute.key == "service.name"
        }
        assert resources == {"shop"}


def test_flask_service(tmp_path: Path) -> None:
    """Booking out more than there is leaves an incident that also holds who took it."""
    port = free_port()
    with (
        OtlpReceiver() as receiver,
        ServiceProcess(
            ["-m", "flask", "--app", "app", "run", "--port", str(port)],
            instrumented=True,
            environment={
                **INCIDENTS_ONLY,
                "OTEL_SERVICE_NAME": "warehouse",
                "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http_endpoint,
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            },
            working_directory=EXAMPLES / "flask_service",
            ready_address=f"tcp://127.0.0.1:{port}",
        ) as service,
    ):
        service.wait_until_ready()
        url = f"http://127.0.0.1:{port}/book/nuts/2"

        assert [status_of(url, "POST") for _ in range(2)] == [200, 500]
        receiver.wait_for(
            lambda: any(each.span.name.startswith("incident: ") for each in receiver.spans()), 20
        )

    incident = the_incident(tmp_path)
    assert incident.manifest.service_name == "warehouse"
    (first, *_) = incident.manifest.causes
    assert (first.subject, first.origin) == ("POST /book/<goods>/<int:number>", "write stock")
    assert first.attributes["exception.message"] == "nuts would be -1"
    assert span_names(incident).count("reserve") == 2


def test_plain_script(tmp_path: Path) -> None:
    """An exception at the end of the script leaves all rows read before it, in the spool alone."""
    with ServiceProcess([str(EXAMPLES / "plain_script" / "import_orders.py")]) as script:
        assert script.wait() == 1
        assert "ValueError" in script.output()

    incident = the_incident(tmp_path)
    assert incident.manifest.service_name == "import-orders"
    (first, *_) = incident.manifest.causes
    assert first.attributes["exception.type"] == "ValueError"
    assert span_names(incident).count("read order") == 201
    assert "12,50" in incident.manifest.findings[0].summary
