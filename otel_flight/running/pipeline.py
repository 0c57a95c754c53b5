"""The application's own span processors: where they send its spans, and which they took."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, Final

from opentelemetry.sdk.trace.export import ConsoleSpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_flight.delivery.receiver.exporters import destination, sends_where_incidents_go
from otel_flight.delivery.receiver.pipeline_exporter import PipelineExporter, ask, protocol_of
from otel_flight.delivery.receiver.signals import SPANS
from otel_flight.ground.clock import Clock
from otel_flight.recording.exporting_pipeline import ExportWatch, exporters_of
from otel_flight.recording.session import RecordingSession
from otel_flight.ring.layout import LANE_SPANS
from otel_flight.settings.fields import CoreSettings

_logger = logging.getLogger("otel_flight")

_NO_BACKEND: Final = (ConsoleSpanExporter, InMemorySpanExporter)


class Pipeline:
    """What is exported besides incidents.

    Args:
        pipelines: return what calls the span processors of each provider.
        settings: where incidents go, if they say so.
        exporter: takes incidents, whatever the settings say; None: what they choose.
        session: counts spans.
        clock: tells when there was a doubt.

    Attributes:
        steady_endpoint: where all sampled spans of the last two windows went; empty: not sure.
    """

    def __init__(
        self,
        pipelines: Callable[[], Iterable[object]],
        settings: CoreSettings,
        exporter: object,
        session: RecordingSession,
        clock: Clock,
    ) -> None:
        self._pipelines = pipelines
        self._settings = settings
        self._given_exporter = exporter
        self._session = session
        self._window_ns = int(settings.window_seconds * 1e9)
        self._clock = clock
        self._is_steady = False
        self.steady_endpoint = ""
        self._asked: PipelineExporter | None = None
        # With the exporter, as the id of one that is gone may be another one's.
        self._known: dict[int, tuple[object, bool]] = {}
        self._watch = ExportWatch(pipelines, self._is_there, self._ended, clock)

    def exporter(self) -> PipelineExporter | None:
        """Return what spans are exported with, once it can be asked; also when it is shut down."""
        if self._asked is None:
            self._asked = next(filter(None, map(ask, self._exporters())), None)
        return self._asked

    def look(self) -> None:
        """See whether the pipeline still takes every span. At each tick."""
        is_steady = self._watch.has_taken_all(self._clock.wall_ns() - 2 * self._window_ns)
        if is_steady != self._is_steady:
            self._is_steady = is_steady
            self.steady_endpoint = self._endpoint() if is_steady else ""

    def endpoint_since(self, since_ns: int) -> str:
        """Return where all sampled spans went since a moment, as `Destination` has it."""
        if not self._watch.has_taken_all(since_ns):
            return ""
        return self._endpoint()

    def _endpoint(self) -> str:
        if self._given_exporter is not None:
            return type(self._given_exporter).__qualname__
        return destination(SPANS, self._settings, self.exporter()).endpoint

    def say_where(self) -> None:
        """Say that incidents stay on this machine though spans are sent, if that is so."""
        if self._given_exporter is not None or self._settings.export != "auto":
            return
        if destination(SPANS, self._settings, self.exporter()).kind != "json":
            return
        for exporter in self._exporters():
            if protocol_of(exporter) is None and not isinstance(exporter, _NO_BACKEND):
                _logger.warning(
                    "otel-flight keeps incidents on this machine: %s does not say where it sends "
                    "spans; set OTEL_FLIGHT_ENDPOINT to have them sent as well",
                    type(exporter).__qualname__,
                )
                return

    def _exporters(self) -> list[Any]:
        found = [each for pipeline in self._pipelines() for each in exporters_of(pipeline)]
        return [each for each in found if not getattr(each, "is_flight_recorder", False)]

    def _is_there(self, exporter: object) -> bool:
        if self._given_exporter is not None:
            return exporter is self._given_exporter
        known = self._known.get(id(exporter))
        if known is None or known[0] is not exporter:
            is_there = sends_where_incidents_go(exporter, self._settings, self.exporter())
            self._known[id(exporter)] = known = (exporter, is_there)
        return known[1]

    def _ended(self) -> int:
        counts = self._session.lanes[LANE_SPANS].counts()
        return counts.written_records + counts.dropped_records
