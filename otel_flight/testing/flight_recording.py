"""A recorder for one test: files in a directory of its own, incidents in memory, no network."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_flight.assembly import Settings
from otel_flight.errors import CannotRecord
from otel_flight.ground.clock import SYSTEM_CLOCK, Clock
from otel_flight.ground.deadline import Deadline
from otel_flight.ground.quoting import shown
from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.spool.spool import Spool
from otel_flight.installation import (
    get_recorder,
    install_with,
    is_sdk_disabled,
    uninstall,
)
from otel_flight.recorder import FlightRecorder
from otel_flight.settings.sources import SettingsInForce, find_settings

_FOR_TESTS: Final = {
    "window_bytes": "4MiB",
    "tick_seconds": "10ms",
    "flush_cpu_share": 1.0,
    "handle_sigterm": False,
    "metrics": False,
}
"""These settings differ from their defaults: they make a test fast, and leave its process alone."""


class FlightRecording:
    """A recorder at work, and what it made. Comes from `flight_recording`.

    Attributes:
        recorder: the recorder, which is also the one that `get_recorder()` returns.
        tracer_provider: the provider whose spans it records.
    """

    def __init__(
        self,
        recorder: FlightRecorder,
        tracer_provider: trace.TracerProvider,
        exporter: InMemorySpanExporter,
    ) -> None:
        self.recorder = recorder
        self.tracer_provider = tracer_provider
        self._exporter = exporter

    def incidents(self, timeout_seconds: float = 10.0) -> list[Incident]:
        """Close the incident that is open, and return all that were made, oldest first.

        Blocks for some hundredths of a second, until they are written and exported. What fires
        later opens another incident, unless the gate refuses it.

        Raises:
            TimeoutError: they are not; the machine is very busy.
        """
        run = self.recorder._run
        deadline = Deadline.after(timeout_seconds)
        if run is not None and not run.closing.close_incidents(deadline):
            raise TimeoutError(f"the incidents were not closed within {timeout_seconds} s")
        settings = self.recorder.settings
        spool = Spool(
            Path(settings.spool_directory or ""), settings.spool_bytes, settings.spool_incidents
        )
        found = [read_incident(entry.path) for entry in spool.entries()]
        return sorted(found, key=lambda incident: incident.manifest.opened_ns)

    def exported_spans(self) -> list[ReadableSpan]:
        """Return what a backend would have got, in that order: after `incidents()`, all of it."""
        return list(self._exporter.get_finished_spans())


@contextmanager
def flight_recording(
    tracer_provider: trace.TracerProvider | None = None,
    *,
    clock: Clock = SYSTEM_CLOCK,
    **settings: Any,
) -> Iterator[FlightRecording]:
    """Install a recorder, and uninstall it at the end of the block. One at a time in a process.

    Reads no environment variable; ring and spool are in a temporary directory, incidents are
    exported into memory, and neither metrics nor a signal handler are installed.

    Args:
        tracer_provider: the provider whose spans are recorded; None: a new one.
        clock: the clock of the recorder, such as a `FakeClock`.
        **settings: settings by their field names, as `install` takes them.

    Raises:
        CannotRecord: a recorder is installed already, the provider is not the SDK's, or `enabled`
            or `OTEL_SDK_DISABLED` turns it off.
        InvalidSetting: an argument has a value its setting cannot have.
        UnknownSetting: there is no setting of that name.

    Example::

        with flight_recording(slow_root_seconds=0.1) as recording:
            serve(recording.tracer_provider)
            (incident,) = recording.incidents()
    """
    provider = tracer_provider or TracerProvider(shutdown_on_exit=False)
    with tempfile.TemporaryDirectory(prefix="otel-flight-") as directory:
        own = {"ring_directory": f"{directory}/ring", "spool_directory": f"{directory}/spool"}
        in_force = find_settings(Settings, None, {**_FOR_TESTS, **own, **settings}, environment={})
        recording = _install(in_force, provider, InMemorySpanExporter(), clock)
        try:
            yield recording
        finally:
            uninstall()


def _install(
    in_force: SettingsInForce[Settings],
    provider: trace.TracerProvider,
    exporter: InMemorySpanExporter,
    clock: Clock,
) -> FlightRecording:
    if get_recorder() is not None:
        raise CannotRecord("a recorder is installed already; call `otel_flight.uninstall()` before")
    recorder = install_with(in_force, provider, exporter, clock)
    if is_sdk_disabled():
        raise CannotRecord("OTEL_SDK_DISABLED is set in the environment")
    if not in_force.settings.enabled:
        raise CannotRecord("the setting `enabled` is off")
    if not recorder.enabled:
        raise CannotRecord(f"{shown(provider)} is not a tracer provider of the SDK")
    if recorder.in_force is not in_force:
        raise CannotRecord("the tracer provider has a `FlightSpanProcessor` already")
    recorder.start()  # now, and not beside what the test does first
    return FlightRecording(recorder, provider, exporter)
