"""What a page gets that asks for backends."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from tests.backends.backend_process import BackendFailedError, needs_backends
from tests.backends.scenario import KIND
from tests.docs.code_blocks import needed_backends
from tests.docs.page_backends import PageBackends
from tests.support.processes.service_process import is_answering

pytestmark = [*needs_backends("collector", "jaeger"), pytest.mark.timeout(120)]


def test_a_page_names_its_backends(tmp_path: Path) -> None:
    """The names stand in one comment, wherever on the page; a page without it needs none."""
    asking = tmp_path / "asking.md"
    asking.write_text("# Title\n\n<!-- backends: jaeger collector -->\n\nText.\n")
    plain = tmp_path / "plain.md"
    plain.write_text("# Title\n\nText about backends: jaeger.\n")

    assert needed_backends(asking) == ["jaeger", "collector"]
    assert needed_backends(plain) == []


def test_names_on_the_page_stand_for_running_backends(tmp_path: Path) -> None:
    """Each name of a port is that of the running backend, and its ports alone are the first's."""
    with PageBackends(["jaeger"], tmp_path) as backends:
        words = backends.replacements

        for port in ("4317", "4318", "16686"):
            assert is_answering(f"tcp://{words[f'jaeger:{port}']}")
            assert words[f"jaeger:{port}"].endswith(f":{words[port]}")
        assert backends.programs is None


def test_beside_a_collector_the_ports_alone_are_its_own(tmp_path: Path) -> None:
    """4317 is where a page's Collector will listen, not the Jaeger behind it."""
    with PageBackends(["jaeger", "collector"], tmp_path) as backends:
        words, environment = backends.replacements, backends.environment

        assert words["4317"] == environment["COLLECTOR_GRPC_PORT"]
        assert not words["jaeger:4317"].endswith(words["4317"])
        assert list(words).index("jaeger:4317") < list(words).index("4317")


def test_otelcol_can_be_called(tmp_path: Path) -> None:
    """With the folder of programs on the PATH, a page runs the real Collector."""
    with PageBackends(["collector"], tmp_path) as backends:
        path = f"{backends.programs}{os.pathsep}{os.environ['PATH']}"
        command = ["bash", "-c", "otelcol --version"]
        result = subprocess.run(
            command, env={"PATH": path}, capture_output=True, text=True, timeout=30, check=False
        )

    assert result.stdout.startswith("otelcol version 0.140")


def test_a_page_that_brings_no_incident_fails(tmp_path: Path) -> None:
    """Other spans do not do; one of kind incident does."""
    with PageBackends(["jaeger"], tmp_path) as backends:
        endpoint = f"http://{backends.replacements['jaeger:4317']}"
        provider = TracerProvider(
            resource=Resource({"service.name": "shop"}), shutdown_on_exit=False
        )
        exporter = OTLPSpanExporter(endpoint=endpoint, insecure=True)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        tracer = provider.get_tracer("test")

        tracer.start_span("GET /orders").end()
        with pytest.raises(BackendFailedError, match="no incident came"):
            backends.wait_for_incidents(timeout_seconds=1.0)

        tracer.start_span("incident: made", attributes={KIND: "incident"}).end()
        backends.wait_for_incidents()
        provider.shutdown()
