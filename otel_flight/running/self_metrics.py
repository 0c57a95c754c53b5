"""The recorder's own metrics, as OpenTelemetry observable instruments.

They are read when a metric reader collects, on its thread; the hot path knows nothing of them.
Names and units follow the metric guidelines of the semantic conventions.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from otel_flight.names import source_names
from otel_flight.names.attributes import GC_GENERATION
from otel_flight.running.statistics import Statistics

Read = Callable[[Statistics], Iterable[Observation]]


class SelfMetrics:
    """Instruments of one recorder, which they do not keep alive.

    Args:
        statistics: refers to the recorder's method that returns what is counted.
    """

    def __init__(self, statistics: weakref.WeakMethod[Callable[[], Statistics]]) -> None:
        self._statistics = statistics
        meter = metrics.get_meter("otel_flight")
        for name, unit, description, read in _COUNTERS:
            meter.create_observable_counter(name, [self._callback(read)], unit, description)
        for name, unit, description, read in _GAUGES:
            meter.create_observable_gauge(name, [self._callback(read)], unit, description)

    def _callback(self, read: Read) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_options: CallbackOptions) -> Iterable[Observation]:
            statistics = self._statistics()
            return [] if statistics is None else read(statistics())

        return observe


def _records(statistics: Statistics) -> list[Observation]:
    return [
        Observation(counts.written_records, {"flight_recorder.lane": lane})
        for lane, counts in (("spans", statistics.spans), ("runtime", statistics.runtime))
    ]


def _lost(statistics: Statistics) -> list[Observation]:
    return [
        Observation(count, {"flight_recorder.lane": lane, "flight_recorder.reason": reason})
        for lane, counts in (("spans", statistics.spans), ("runtime", statistics.runtime))
        for reason, count in (
            ("evicted", counts.evicted_records),
            ("dropped", counts.dropped_records),
        )
    ]


def _firings(statistics: Statistics) -> list[Observation]:
    return [
        Observation(count, {"flight_recorder.trigger": trigger, "flight_recorder.outcome": outcome})
        for (trigger, outcome), count in statistics.firings.items()
    ]


def _incidents(statistics: Statistics) -> list[Observation]:
    return [
        Observation(statistics.incidents_written, {"flight_recorder.outcome": "written"}),
        Observation(statistics.incidents_unspooled, {"flight_recorder.outcome": "unspooled"}),
        Observation(statistics.incidents_failed, {"flight_recorder.outcome": "failed"}),
        Observation(
            statistics.delivery.delivered_incidents, {"flight_recorder.outcome": "delivered"}
        ),
    ]


def _of_collections(name: str, unit_ns: float) -> Read:
    def read(statistics: Statistics) -> list[Observation]:
        return [
            Observation(count / unit_ns if unit_ns > 1 else count, {GC_GENERATION: int(generation)})
            for key, count in statistics.sources.get(source_names.GC, {}).items()
            for counted, _, generation in [key.partition(".")]
            if counted == name
        ]

    return read


_COUNTERS: tuple[tuple[str, str, str, Read], ...] = (
    ("flight_recorder.records", "{record}", "Records written to the window.", _records),
    ("flight_recorder.records.lost", "{record}", "Records that left the window.", _lost),
    ("flight_recorder.firings", "{firing}", "What became of firings.", _firings),
    ("flight_recorder.incidents", "{incident}", "What became of incidents.", _incidents),
    (
        "flight_recorder.delivery.spans",
        "{span}",
        "Spans delivered with incidents.",
        lambda statistics: [Observation(statistics.delivery.delivered_spans)],
    ),
    (
        "flight_recorder.delivery.spans.undeliverable",
        "{span}",
        "Spans of delivered incidents that the backend does not take.",
        lambda statistics: [Observation(statistics.delivery.undeliverable_spans)],
    ),
    (
        "flight_recorder.delivery.requests.repeated",
        "{request}",
        "Requests sent again that may have arrived the first time.",
        lambda statistics: [Observation(statistics.delivery.resent_chunks)],
    ),
    (
        "flight_recorder.delivery.failures",
        "{attempt}",
        "Attempts to deliver that failed.",
        lambda statistics: [Observation(statistics.delivery.failed_attempts)],
    ),
    (
        "flight_recorder.gc.collections",
        "{collection}",
        "Garbage collections.",
        _of_collections("collections", 1),
    ),
    (
        "flight_recorder.gc.pause.time",
        "s",
        "How long the process stood still for them.",
        _of_collections("pause_ns", 1e9),
    ),
    (
        "flight_recorder.errors",
        "{error}",
        "Errors inside the recorder that were kept from the application.",
        lambda statistics: [
            Observation(error.count, {"flight_recorder.place": error.place})
            for error in statistics.errors
        ],
    ),
)
_GAUGES: tuple[tuple[str, str, str, Read], ...] = (
    (
        "flight_recorder.window.size",
        "By",
        "Size of the window's memory.",
        lambda statistics: [Observation(statistics.window_bytes)],
    ),
    (
        "flight_recorder.window.age",
        "s",
        "How far back the window reaches.",
        lambda statistics: [Observation(statistics.window_seconds)],
    ),
    (
        "flight_recorder.open_spans",
        "{span}",
        "Spans that have started and not ended.",
        lambda statistics: [Observation(statistics.open_spans)],
    ),
    (
        "flight_recorder.incidents.pending",
        "{incident}",
        "Incidents in the spool that are not delivered yet.",
        lambda statistics: [Observation(statistics.delivery.pending_incidents)],
    ),
)
