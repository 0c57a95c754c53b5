"""The ways of keeping spans that are compared, by name; the only file that knows the recorder.

The recorder is looked up by name when it is needed, so that the other variants can be measured
against each other in an environment that does not have it.
"""

from __future__ import annotations

import importlib
import math
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

BARE = "bare SDK"
EMPTY = "empty processor"
OURS = "otel-flight"
INSTALLED = "otel-flight, installed"
IN_PYTHON = "otel-flight, installed, light spans in Python"
HEAVY = "otel-flight, spans of the SDK"
DEQUE = "deque of spans"
BATCH = "batch processor"
BOTH = "batch processor and otel-flight"

DEQUE_SPANS = 50_000
WINDOW_BYTES = 16 * 1024 * 1024
_FLUSH_BATCH = 512
_NEED_RECORDER = frozenset({OURS, INSTALLED, IN_PYTHON, HEAVY, BOTH})


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a variant is given.

    Attributes:
        directory: Where it may keep files; empty at first.
        endpoint: Base URL of an OTLP receiver; None exports nowhere.
        protocol: What that receiver takes: `http/protobuf` or `grpc`.
        settings: More settings for the recorder.
    """

    directory: Path
    endpoint: str | None = None
    protocol: str = "http/protobuf"
    settings: dict[str, Any] | None = None


class Progress(NamedTuple):
    """How far the first flush is.

    Attributes:
        is_written: Whether what is sent is safe on disk.
        is_delivered: Whether the receiver has acknowledged all of it.
        spans: How many spans were sent so far.
    """

    is_written: bool
    is_delivered: bool
    spans: int


class Variant:
    """A way of keeping spans; this one keeps none."""

    def __init__(self, surroundings: Surroundings) -> None:
        self.surroundings = surroundings

    def attach(self, provider: TracerProvider) -> None:
        """Have the provider's spans kept."""

    def flush(self) -> None:
        """Send what is held to the endpoint, in the background as far as the variant can."""

    def held_spans(self) -> int | None:
        """Return how many spans are held just now; None if only a receiver can tell."""
        return 0

    def dropped_records(self) -> tuple[int, int]:
        """Return how many records of spans were lost so far, and how many were not."""
        return 0, 0

    def progress(self) -> Progress:
        """Return how far the first flush is; only a recorder can tell."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop threads and close files."""


class _Bare(Variant):
    """The SDK with no processor at all."""


class _Empty(Variant):
    """A processor that does nothing: the floor of every other variant."""

    def attach(self, provider: TracerProvider) -> None:
        provider.add_span_processor(_EmptyProcessor())


class _SpanDeque(Variant):
    """The recorder one writes first: the span objects themselves in a bounded deque."""

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self._spans: deque[ReadableSpan] = deque(maxlen=DEQUE_SPANS)

    def attach(self, provider: TracerProvider) -> None:
        provider.add_span_processor(_AppendingProcessor(self._spans))

    def flush(self) -> None:
        exporter = official_exporter(self.surroundings)
        spans = list(self._spans)

        def send() -> None:
            for start in range(0, len(spans), _FLUSH_BATCH):
                exporter.export(spans[start : start + _FLUSH_BATCH])

        threading.Thread(target=send, name="deque-flush", daemon=True).start()

    def held_spans(self) -> int | None:
        return len(self._spans)


class _Batch(Variant):
    """BatchSpanProcessor exporting everything, to nowhere or over OTLP/HTTP."""

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self._processor: SpanProcessor = BatchSpanProcessor(
            _NoExporter() if surroundings.endpoint is None else official_exporter(surroundings)
        )

    def attach(self, provider: TracerProvider) -> None:
        provider.add_span_processor(self._processor)

    def close(self) -> None:
        self._processor.shutdown()


class _Flight(Variant):
    """The flight recorder put in by hand: its span processor and nothing else."""

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self._recorder: Any = None

    def attach(self, provider: TracerProvider) -> None:
        otel_flight = _otel_flight()
        self._recorder = otel_flight.FlightRecorder(**self._settings())
        self._recorder.start()
        provider.add_span_processor(otel_flight.FlightSpanProcessor(self._recorder))

    def flush(self) -> None:
        self._recorder.trigger("bench")

    def held_spans(self) -> int | None:
        return None

    def dropped_records(self) -> tuple[int, int]:
        spans = self._recorder.statistics().spans
        return spans.dropped_records, spans.written_records

    def progress(self) -> Progress:
        statistics = self._recorder.statistics()
        delivery = statistics.delivery
        return Progress(
            is_written=statistics.incidents_written > 0,
            is_delivered=delivery.delivered_incidents > 0,
            spans=delivery.delivered_spans,
        )

    def close(self) -> None:
        if self._recorder is not None:
            self._recorder.stop()

    def _settings(self) -> dict[str, Any]:
        endpoint = self.surroundings.endpoint
        settings: dict[str, Any] = {
            "ring_directory": str(self.surroundings.directory / "ring"),
            "spool_directory": str(self.surroundings.directory / "spool"),
            "window_bytes": WINDOW_BYTES,
        }
        if endpoint is None:
            settings["export"] = "off"
        else:
            protocol = self.surroundings.protocol
            settings |= {"export": "otlp", "endpoint": endpoint, "protocol": protocol}
        return settings | (self.surroundings.settings or {})


class _InstalledFlight(_Flight):
    """The flight recorder as `otel_flight.install()` puts it in, around the sampler too."""

    def attach(self, provider: TracerProvider) -> None:
        self._recorder = _otel_flight().install(tracer_provider=provider, **self._settings())
        self._recorder.start()


class _PythonFlight(_InstalledFlight):
    """The same, as where light spans in C were not built."""

    def _settings(self) -> dict[str, Any]:
        return super()._settings() | {"light_spans": "python"}


class _HeavyFlight(_InstalledFlight):
    """The installed one, where somebody else looks at all spans, which are the SDK's then."""

    def attach(self, provider: TracerProvider) -> None:
        provider.add_span_processor(_EmptyProcessor())
        super().attach(provider)


class _BatchAndFlight(_InstalledFlight):
    """The installed one beside a processor that exports everything."""

    def attach(self, provider: TracerProvider) -> None:
        self._batch = _Batch(self.surroundings)
        self._batch.attach(provider)
        super().attach(provider)

    def close(self) -> None:
        super().close()
        self._batch.close()


VARIANTS: dict[str, type[Variant]] = {
    BARE: _Bare,
    EMPTY: _Empty,
    OURS: _Flight,
    INSTALLED: _InstalledFlight,
    IN_PYTHON: _PythonFlight,
    HEAVY: _HeavyFlight,
    DEQUE: _SpanDeque,
    BATCH: _Batch,
    BOTH: _BatchAndFlight,
}


def open_variant(name: str, surroundings: Surroundings, provider: TracerProvider) -> Variant:
    """Return the variant, keeping the provider's spans from now on."""
    variant = VARIANTS[name](surroundings)
    variant.attach(provider)
    return variant


def official_exporter(surroundings: Surroundings) -> SpanExporter:
    """Return the official exporter for the receiver."""
    endpoint = surroundings.endpoint
    if surroundings.protocol == "grpc":
        # Not imported at the top: it would weigh on processes that never use it.
        module = importlib.import_module("opentelemetry.exporter.otlp.proto.grpc.trace_exporter")
        exporter: SpanExporter = module.OTLPSpanExporter(endpoint=endpoint)
        return exporter
    return OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces")


def incident_traces(directory: Path) -> list[tuple[str, int]] | None:
    """Return the traces of the one incident kept below a variant's directory.

    Returns:
        Trace id and number of spans, in the order in which they are sent; None: not kept yet.
    """
    files = list((directory / "spool").glob("*.flight"))
    if not files:
        return None
    read_incident = importlib.import_module("otel_flight.incidents.flight_file").read_incident
    counts: dict[str, int] = {}
    newest: dict[str, float] = {}
    for found in read_incident(files[0]).window.spans():
        trace_id = f"{found.record.trace_id:032x}"
        counts[trace_id] = counts.get(trace_id, 0) + 1
        newest[trace_id] = math.inf if found.is_open else found.number
    return sorted(counts.items(), key=lambda item: newest[item[0]], reverse=True)


def available(names: Sequence[str]) -> list[str]:
    """Return those of the variants that this environment can run, in the same order."""
    return [name for name in names if name not in _NEED_RECORDER or has_recorder()]


def has_recorder() -> bool:
    """Return whether the recorder is installed and can be used."""
    try:
        return hasattr(_otel_flight(), "FlightRecorder")
    except ImportError:
        return False


def _otel_flight() -> Any:
    return importlib.import_module("otel_flight")


class _EmptyProcessor(SpanProcessor):
    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        pass

    def on_end(self, span: ReadableSpan) -> None:
        pass


class _AppendingProcessor(SpanProcessor):
    def __init__(self, spans: deque[ReadableSpan]) -> None:
        self._spans = spans

    def on_end(self, span: ReadableSpan) -> None:
        self._spans.append(span)


class _NoExporter(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS
