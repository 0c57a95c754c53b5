"""Under gevent and eventlet: the program goes on as without us, and its incident is delivered."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.support.processes.service_process import ServiceProcess
from tests.support.receivers.otlp_messages import Transport
from tests.support.receivers.otlp_receiver import OtlpReceiver

PROGRAM = str(Path(__file__).parent / "programs" / "green_work.py")
GREEN_SPANS = str(Path(__file__).parent / "programs" / "green_spans.py")
QUIET = {"PYTHONWARNINGS": "ignore::DeprecationWarning"}
"""eventlet says that it is deprecated, and that is one."""


@pytest.mark.parametrize("library", ["gevent", "eventlet"])
@pytest.mark.parametrize(
    ("when", "transport", "compiled"),
    [
        ("before import", "http/protobuf", "true"),
        ("before import", "grpc", "false"),
        ("after import", "http/protobuf", "false"),
        ("after install", "http/protobuf", "true"),
        ("after install", "grpc", "true"),
        ("after the first span", "http/protobuf", "true"),
        ("after a fork", "http/protobuf", "true"),
    ],
)
def test_work_is_done_and_its_incident_is_delivered(
    library: str, when: str, transport: Transport, compiled: str
) -> None:
    """Whenever the program patches: our threads stay threads, and nobody waits for a greenlet."""
    if importlib.util.find_spec(library) is None:  # not imported here: it warns of each fork
        pytest.skip(f"{library} is not installed")
    with OtlpReceiver() as receiver:
        environment = {
            **QUIET,
            "OTEL_FLIGHT_COMPILED": compiled,
            "OTEL_FLIGHT_ENDPOINT": receiver.endpoint(transport),
            "OTEL_FLIGHT_PROTOCOL": transport,
        }
        with ServiceProcess([PROGRAM, when, library], environment=environment) as process:
            assert process.wait() == 0, process.output()
            output = process.output()
        names = {item.span.name for item in receiver.spans()}

    assert "done 60\nwritten 1 delivered 1\nerrors () \n" in output, output
    assert "piece 1" in names


@pytest.mark.parametrize("library", ["gevent", "eventlet"])
@pytest.mark.parametrize(
    ("light", "kind"), [("auto", "CompiledSpan"), ("python", "LightSpan"), ("off", "_Span")]
)
def test_greenlets_that_share_a_span_take_turns(library: str, light: str, kind: str) -> None:
    """Its lock is the library's: a real one would stop the greenlet that is to release it."""
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    environment = {**QUIET, "OTEL_FLIGHT_EXPORT": "off", "OTEL_FLIGHT_LIGHT_SPANS": light}
    with ServiceProcess([GREEN_SPANS, library], environment=environment) as process:
        assert process.wait() == 0, process.output()
        output = process.output()

    assert f"{kind} 10" in output, output
