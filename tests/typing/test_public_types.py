"""What code with types sees of the public API: mypy checks what is asserted, and it runs."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, Sampler
from typing_extensions import assert_type

import otel_flight
from otel_flight import (
    Cause,
    Coverage,
    Explanation,
    Finding,
    FlightError,
    FlightRecorder,
    FlightSampler,
    FlightSpanProcessor,
    Incident,
    Losses,
    Manifest,
    Settings,
    Statistics,
    Window,
    WindowEvent,
    WindowSpan,
)
from otel_flight.errors import CannotRecord, InvalidSetting, RecorderStopped, UnknownSetting
from otel_flight.testing import FakeClock, FlightRecording, flight_recording


@pytest.fixture
def recording() -> Iterator[FlightRecording]:
    """A recorder that has something to say."""
    with flight_recording() as recording:
        recording.tracer_provider.get_tracer("test").start_span("work").end()
        yield recording


def test_installing() -> None:
    """There is always a recorder to go on with; before, there is none."""
    provider = TracerProvider(shutdown_on_exit=False)

    installed = otel_flight.install(
        Settings(metrics=False),
        tracer_provider=provider,
        exporter=InMemorySpanExporter(),
        window_bytes="1MiB",
    )

    assert_type(installed, FlightRecorder)
    assert_type(otel_flight.get_recorder(), FlightRecorder | None)
    otel_flight.uninstall()
    assert_type(otel_flight.__version__, str)


def test_the_recorder(tmp_path: Path) -> None:
    """As a context manager it is itself; what it returns has a name that can be imported."""
    with FlightRecorder(
        Settings(metrics=False), service_name="shop", exporter=None, clock=FakeClock()
    ) as recorder:
        assert_type(recorder, FlightRecorder)
        assert_type(recorder.enabled, bool)
        assert_type(recorder.settings, Settings)
        assert_type(recorder.trigger("too late", limit=3), str | None)
        assert_type(recorder.snapshot(), Incident)
        assert_type(recorder.write_to(str(tmp_path / "a.flight")), Incident)
        assert_type(recorder.write_to(tmp_path / "b.flight"), Incident)
        assert_type(recorder.write_to(io.BytesIO()), Incident)
        assert_type(recorder.statistics(), Statistics)
        recorder.start()
    recorder.stop(timeout_seconds=0.1)


def test_by_hand() -> None:
    """Processor and sampler are what the SDK takes."""
    sampler: Sampler = FlightSampler(ParentBased(ALWAYS_OFF))
    processor = FlightSpanProcessor(FlightRecorder(metrics=False))
    as_the_sdk_has_it: SpanProcessor = processor
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)

    provider.add_span_processor(as_the_sdk_has_it)
    provider.shutdown()

    assert_type(processor.recorder, FlightRecorder)
    assert_type(processor.force_flush(), bool)


def test_settings() -> None:
    """A field has the type that its value has after it was read."""
    settings = Settings(window_seconds=30, slow_root_seconds=None, error_span="root")

    assert_type(settings.window_seconds, float)
    assert_type(settings.window_bytes, int)
    assert_type(settings.error_span, Literal["all", "unhandled", "root", "off"])
    assert_type(settings.slow_root_seconds, float | Literal["learned"] | None)
    assert_type(settings.protocol, Literal["grpc", "http/protobuf"] | None)
    assert_type(settings.slow_root_routes, tuple[tuple[str, float | None], ...])
    assert_type(settings.error_span_names, tuple[str, ...])


def test_statistics(recording: FlightRecording) -> None:
    """Counts are numbers, down to those of one lane and one delivery."""
    statistics = recording.recorder.statistics()

    assert_type(statistics.is_recording, bool)
    assert_type(statistics.spans.written_records, int)
    assert_type(statistics.firings, dict[tuple[str, str], int])
    assert_type(statistics.delivery.last_error, str)
    assert_type([error.count for error in statistics.errors], list[int])


def test_incidents(recording: FlightRecording) -> None:
    """Everything within an incident has a name of its own, or a type of Python's."""
    incident = recording.recorder.snapshot()

    assert_type(incident.path, Path | None)
    assert_type(incident.manifest, Manifest)
    assert_type(incident.manifest.trigger, Cause | None)
    assert_type(incident.manifest.causes, list[Cause])
    assert_type(incident.manifest.findings, list[Finding])
    assert_type(incident.manifest.explanations, list[Explanation])
    assert_type(incident.manifest.coverage, Coverage)
    assert_type(incident.manifest.losses, Losses)
    assert_type(incident.manifest.resource, dict[str, Any])
    assert_type([finding.summary for finding in incident.manifest.findings], list[str])


def test_windows(recording: FlightRecording) -> None:
    """Spans and events are told apart, and their times are numbers."""
    window = recording.recorder.snapshot().window

    assert_type(window, Window)
    assert_type(window.spans(), Iterator[WindowSpan])
    assert_type(window.unfinished(), Iterator[WindowSpan])
    assert_type(window.events(), Iterator[WindowEvent])
    (span,) = window.spans()
    assert_type(span.name, str)
    assert_type(span.duration_ns, int)
    assert_type(span.is_error, bool)
    assert_type(span.record.attributes, dict[str, Any])


def test_errors() -> None:
    """One tree; an error has what it is about as attributes."""
    errors: list[FlightError] = [
        InvalidSetting("open_spans", 3, "a number"),
        UnknownSetting("window", ["window_bytes"]),
        CannotRecord("it is off"),
    ]

    with pytest.raises(RecorderStopped) as raised:
        FlightRecorder(metrics=False).snapshot()

    assert_type(raised.value, RecorderStopped)
    assert isinstance(errors[0], InvalidSetting)
    assert_type(errors[0].setting, str)


def test_the_tools_for_tests() -> None:
    """Providers are the API's, as applications have them."""
    provider: trace.TracerProvider = TracerProvider(shutdown_on_exit=False)
    clock = FakeClock()

    context = flight_recording(provider, clock=clock, tail_seconds="1s")

    assert_type(clock.wall_ns(), int)
    with context as recording:
        assert_type(recording, FlightRecording)
        assert_type(recording.recorder, FlightRecorder)
        assert_type(recording.tracer_provider, trace.TracerProvider)
        assert_type(recording.incidents(), list[Incident])
        assert_type(recording.exported_spans(), list[ReadableSpan])
    as_any_other: AbstractContextManager[FlightRecording] = context
    assert as_any_other is context
