"""Every way of getting the recorder into a program, each in a real process."""

from __future__ import annotations

from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider

import otel_flight
from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.spool.spool import Spool
from tests.support.processes.service_process import ServiceProcess
from tests.support.receivers.otlp_receiver import OtlpReceiver

SCRIPT = str(Path(__file__).parent / "programs" / "failing_script.py")
NO_EXPORT = {
    "OTEL_TRACES_EXPORTER": "none",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
}


def run(
    how: str,
    environment: dict[str, str],
    *,
    instrumented: bool = False,
) -> str:
    """Run the script to its end and return its output."""
    with ServiceProcess(
        [SCRIPT, how], instrumented=instrumented, environment=environment
    ) as process:
        assert process.wait() == 0, process.output()
        return process.output()


def incidents(tmp_path: Path) -> list[Incident]:
    """Return what is in the test's spool."""
    spool = Spool(tmp_path / "spool", 1 << 30, 100)
    return [read_incident(entry.path) for entry in spool.entries()]


def assert_whole_window(tmp_path: Path) -> Incident:
    """Assert that one incident holds all eleven requests, and return it."""
    (incident,) = incidents(tmp_path)
    names = [span.record.name for span in incident.window.spans()]
    assert names.count("GET /fine") == 10
    assert names.count("query") == 10
    assert names.count("GET /broken") == 1
    (cause,) = incident.manifest.causes
    assert (cause.trigger, cause.subject) == ("error_span", "GET /broken")
    return incident


@pytest.mark.parametrize("how", ["install", "by-hand"])
def test_installed_in_code(tmp_path: Path, how: str) -> None:
    """An error right before the end of a script leaves the incident, though nothing was sampled."""
    run(how, {})

    incident = assert_whole_window(tmp_path)

    attributes = [
        s.record.attributes for s in incident.window.spans() if s.record.name == "GET /fine"
    ]
    assert [found["number"] for found in attributes] == list(range(10))


def test_environment_variables_alone(tmp_path: Path) -> None:
    """Under opentelemetry-instrument nothing but the environment is needed, not even sampling."""
    output = run(
        "nothing",
        {**NO_EXPORT, "OTEL_TRACES_SAMPLER": "always_off", "OTEL_SERVICE_NAME": "shop"},
        instrumented=True,
    )

    assert "processors: FlightSpanProcessor" in output
    assert assert_whole_window(tmp_path).manifest.service_name == "shop"


def test_incidents_go_to_the_configured_endpoint() -> None:
    """With an OTLP endpoint in the environment the window is delivered before the process ends."""
    with OtlpReceiver() as receiver:
        run(
            "nothing",
            {
                **NO_EXPORT,
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{receiver.http_endpoint}/v1/traces",
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
            },
            instrumented=True,
        )
        spans = [item.span for item in receiver.spans()]

    kinds = {"flight_recorder.kind"}
    names = [s.name for s in spans if not kinds & {a.key for a in s.attributes}]
    assert names.count("GET /fine") == 10
    assert names.count("GET /broken") == 1
    assert [s.name for s in spans].count("incident: error span GET /broken") == 1


def test_the_exporter_name_exports_incidents_only(tmp_path: Path) -> None:
    """OTEL_TRACES_EXPORTER=otel_flight puts the recorder in and leaves no batch processor."""
    output = run("nothing", {**NO_EXPORT, "OTEL_TRACES_EXPORTER": "otel_flight"}, instrumented=True)

    assert "processors: FlightSpanProcessor\n" in output
    assert_whole_window(tmp_path)


def test_the_yaml_configuration(tmp_path: Path) -> None:
    """Options of the configuration file reach the recorder; a wrong one is named and ignored."""
    pytest.importorskip("opentelemetry.configuration")
    configuration = tmp_path / "otel.yaml"
    configuration.write_text(
        """\
file_format: "1.0"
resource:
  attributes:
    - {name: service.name, value: from-yaml}
tracer_provider:
  processors:
    - simple: {exporter: {console: {}}}
  sampler: {always_off: {}}
instrumentation/development:
  python:
    otel_flight:
      tail_seconds: 100ms
      cooldown_seconds: soon
"""
    )

    output = run("nothing", {"OTEL_CONFIG_FILE": str(configuration)}, instrumented=True)

    incident = assert_whole_window(tmp_path)
    assert incident.manifest.service_name == "from-yaml"
    assert "soon" in output


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_FLIGHT_ENABLED": "false"},
        {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "requests, otel_flight"},
        {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "*"},
        {"OTEL_SDK_DISABLED": "true"},
    ],
)
def test_turned_off(tmp_path: Path, variables: dict[str, str]) -> None:
    """Each of the usual switches keeps the recorder out altogether."""
    output = run("nothing", {**NO_EXPORT, **variables}, instrumented=True)

    assert "FlightSpanProcessor" not in output
    assert incidents(tmp_path) == []


def test_a_bad_value_warns_once_and_changes_nothing_else(tmp_path: Path) -> None:
    """The warning names variable, value and default; the incident is made nonetheless."""
    output = run("nothing", {**NO_EXPORT, "OTEL_FLIGHT_TAIL": "shortly"}, instrumented=True)

    lines = [line for line in output.splitlines() if "OTEL_FLIGHT_TAIL" in line]
    assert len(lines) == 1
    assert "shortly" in lines[0]
    assert "2s" in lines[0]
    assert_whole_window(tmp_path)


def test_without_the_sdk_one_warning_says_what_to_install(caplog: pytest.LogCaptureFixture) -> None:
    """A proxy provider cannot be recorded; the program goes on."""
    recorder = otel_flight.install()

    assert not recorder.enabled
    assert recorder.trigger("nothing") is None
    (record,) = caplog.records
    assert "ProxyTracerProvider" in record.getMessage()
    assert "opentelemetry-sdk" in record.getMessage()


def test_installing_twice_is_installing_once() -> None:
    """The same provider has one processor, one sampler around it, one recorder."""
    provider = TracerProvider(shutdown_on_exit=False)
    tracer = provider.get_tracer("early")
    first = otel_flight.install(tracer_provider=provider)
    second = otel_flight.install(tracer_provider=provider)
    try:
        assert first is second
        assert first is otel_flight.get_recorder()
        processors = provider._active_span_processor._span_processors
        assert len(processors) == 1
        assert isinstance(provider.sampler, otel_flight.FlightSampler)
        assert not isinstance(provider.sampler.root, otel_flight.FlightSampler)
        if hasattr(provider, "_tracers"):
            assert tracer.sampler is provider.sampler  # type: ignore[attr-defined]
    finally:
        provider.shutdown()
        otel_flight.uninstall()


def test_uninstalling_gives_everything_back() -> None:
    """Processor and samplers are as before; installing again makes a recorder that records."""
    provider = TracerProvider(shutdown_on_exit=False)
    sampler = provider.sampler
    first = otel_flight.install(tracer_provider=provider)
    otel_flight.uninstall()

    assert provider.sampler is sampler
    assert provider._active_span_processor._span_processors == ()
    assert otel_flight.get_recorder() is None
    second = otel_flight.install(tracer_provider=provider)
    try:
        assert second is not None
        assert second is not first
        assert second.enabled
    finally:
        otel_flight.uninstall()
