"""Delivers one signal of the incidents in a spool: which is due, what after a failure, what to say.

Incidents that were tried less often go first, among them the newest: that is the one someone is
waiting for, and one that the backend refuses time and again does not hold up the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Final

from otel_flight.delivery.json_lines import write_json_copy
from otel_flight.delivery.log_messages import (
    say_failed,
    say_no_json,
    say_recovered,
    say_undeliverable,
    say_unreadable,
)
from otel_flight.delivery.pacing import Pacer
from otel_flight.delivery.receiver.attempt import Exporter
from otel_flight.delivery.receiver.exporters import (
    Destination,
    build_exporter,
    destination,
    preload,
)
from otel_flight.delivery.receiver.pipeline_exporter import PipelineExporter
from otel_flight.delivery.receiver.signals import SPANS, Signal
from otel_flight.delivery.sender import Sender, chunks_to_send, is_sent_by_pipeline
from otel_flight.delivery.statistics import DeliveryStatistics
from otel_flight.errors import (
    DamagedIncident,
    FlightError,
    IncidentNotFound,
    MissingExtra,
    NotAnIncident,
)
from otel_flight.ground.backoff import Backoff
from otel_flight.ground.deadline import OutOfTime
from otel_flight.ground.guard import Guard
from otel_flight.ground.native import Thread
from otel_flight.ground.quoting import without_secrets
from otel_flight.incidents.spool.directory import SpoolEntry
from otel_flight.incidents.spool.spool import Spool
from otel_flight.settings.fields import CoreSettings

LOOK_AGAIN_SECONDS: Final = 5.0
"""What another process was delivering is looked at again after this many seconds: it may have died
over it."""

CheckIn = Callable[[], float | None]
"""It is called before each incident and each request, does what cannot wait for them, and returns
how many seconds are left until the process ends; None: it is not about to end."""


class Delivery:
    """Delivers what is due, on one thread at a time; `abort` is for any thread.

    An exporter exists only while something is delivered: no connection lingers, and no gRPC channel
    is there when the process forks. What is needed to make one is imported by the first call:
    during an incident that would slow down requests.

    Args:
        spool: what to deliver.
        settings: where to, and what is left out.
        guard: notes what fails for reasons nobody thought of.
        pacer: keeps the work off the application's back.
        signal: what of the incidents.
        exporter: takes it, whatever the settings say; None: the one that they choose. It belongs to
            the caller, and is only shut down when it hangs and the process cannot wait.
        build: makes the OTLP exporter, with a timeout for each chunk or its own; None: the official
            one.
        backoff: how long to wait after a failure.
        pipeline: returns what the application's own pipeline exports with, if that is known.

    Attributes:
        statistics: what was delivered so far; replaced as a whole, so that any thread may read it.
    """

    def __init__(
        self,
        spool: Spool,
        settings: CoreSettings,
        guard: Guard,
        pacer: Pacer,
        *,
        signal: Signal = SPANS,
        exporter: Exporter | None = None,
        build: Callable[[CoreSettings, float | None], Exporter] | None = None,
        backoff: Backoff | None = None,
        pipeline: Callable[[], PipelineExporter | None] = lambda: None,
    ) -> None:
        self._spool = spool.of(signal.state_suffix)
        self._settings = settings
        self._guard = guard
        self._pacer = pacer
        self._signal = signal
        self._given_exporter = exporter
        self._pipeline = pipeline
        self._build = build or (
            lambda settings, seconds: build_exporter(signal, settings, seconds, pipeline())
        )
        self._backoff = backoff or Backoff()
        self._exporter: Exporter | None = None
        self._unreadable: set[str] = set()
        # What is noted in the spool may lag behind: it cannot be noted there, or fails before that.
        self._failures: Counter[str] = Counter()
        self._is_extra_missing = False
        self.statistics = DeliveryStatistics()

    def deliver_due(self, check_in: CheckIn) -> float | None:
        """Deliver what is due, until nothing is left or something fails.

        When the process is about to end, only incidents that it made itself are, and of these none
        that failed already.

        Returns:
            In how many seconds to come again; None: when something new is in the spool.
        """
        if self._given_exporter is None:
            with self._guard.swallow("preload exporter"):
                preload(self._signal, self._settings)
        target = self._destination()
        if target.kind == "off" and self._signal is not SPANS:
            self._spool.settle_in_memory()
            return None
        wait_seconds: float | None = None
        if self._signal is SPANS:
            wait_seconds = self._spool.rescue(is_last=check_in() is not None)
        deliver = self._copy_to_json if target.kind == "json" else self._send
        skipped: set[str] = set()
        try:
            while entry := self._next(target, skipped, check_in):
                skipped.add(entry.incident_id)
                try:
                    with self._claimed(entry) as claimed:
                        is_over = claimed is not None and deliver(claimed, target, check_in)
                except NotAnIncident as error:  # it is to hold up nobody
                    self._unreadable.add(entry.incident_id)
                    is_damaged = isinstance(error, DamagedIncident)
                    say_unreadable(error, self._spool.set_aside(entry) if is_damaged else None)
                except OutOfTime:
                    return wait_seconds
                except Exception as error:  # noqa: BLE001  (any: the next attempt may go well)
                    return _soonest(wait_seconds, self._failed(entry, target, error))
                else:
                    if is_over:
                        self._succeeded(entry, target)
                    else:
                        wait_seconds = _soonest(wait_seconds, LOOK_AGAIN_SECONDS)
        finally:
            self._close_exporter()
        return wait_seconds

    def has_unsent(self) -> bool:
        """Return whether an incident of this process is still to be sent, or in memory. Any thread.

        Reads files, if this process has made an incident.
        """
        spool = self._spool
        if not spool.has_added_any or self._destination().kind == "off":
            return spool.in_memory > 0
        return any(spool.has_added(each) and not each.state.delivered for each in spool.entries())

    def abort(self, timeout_seconds: float) -> None:
        """Shut the exporter down, so that a hanging export returns. Any thread; bounded."""
        exporter = self._exporter
        if exporter is None:
            return
        # Old exporters wait here for the very call that hangs.
        thread = Thread(partial(self._shut_down, exporter), "otel-flight-exporter-stop")
        try:
            thread.start()
        except RuntimeError:  # the interpreter is going down, and the hanging thread with it
            return
        thread.join(timeout_seconds)

    def _destination(self) -> Destination:
        if self._given_exporter is not None:
            return Destination("exporter", endpoint=type(self._given_exporter).__qualname__)
        return destination(self._signal, self._settings, self._pipeline())

    def _next(self, target: Destination, skipped: set[str], check_in: CheckIn) -> SpoolEntry | None:
        pending = [entry for entry in self._spool.entries() if not entry.state.delivered]
        self.statistics = replace(self.statistics, pending_incidents=len(pending))
        if target.kind == "off":
            return None
        if target.kind == "json":  # beside its file
            pending = [entry for entry in pending if not entry.is_in_memory]
        pending.sort(key=lambda entry: (self._attempts(entry), -entry.written_ns))
        for entry in pending:
            if entry.incident_id not in skipped | self._unreadable:
                seconds_left = check_in()
                is_new = not entry.state.attempts and not self._backoff.failures
                if self._may_go_on(entry, seconds_left) and (seconds_left is None or is_new):
                    return entry
        return None

    def _attempts(self, entry: SpoolEntry) -> int:
        """Return how often an incident was tried, by what is noted or by what we know."""
        return max(entry.state.attempts, self._failures[entry.incident_id])

    def _may_go_on(self, entry: SpoolEntry, seconds_left: float | None) -> bool:
        return seconds_left is None or (seconds_left > 0 and self._spool.has_added(entry))

    @contextmanager
    def _claimed(self, entry: SpoolEntry) -> Iterator[SpoolEntry | None]:
        """Hold an incident, as it is now; None: another process has it, or has delivered it."""
        with self._spool.claim(entry) as is_ours:
            claimed = None
            if is_ours:
                with suppress(IncidentNotFound):  # evicted between our look and our claim
                    claimed = self._spool.find(entry.incident_id)
            yield None if claimed is None or claimed.state.delivered else claimed

    def _send(self, entry: SpoolEntry, target: Destination, check_in: CheckIn) -> bool:
        """Send an incident; return False when it is left for later."""
        if self._exporter is None:
            given = self._given_exporter
            self._exporter = self._build(self._settings, check_in()) if given is None else given
        incident = self._spool.read(entry)
        skips = is_sent_by_pipeline(incident, self._settings, entry.state, target.endpoint)
        sender = Sender(
            self._spool,
            entry,
            self._exporter,
            target.endpoint,
            skips_sampled=skips,
            go_on=lambda: self._may_go_on(entry, check_in()),
        )
        self._pacer.begin()
        chunks = chunks_to_send(
            self._signal, incident, self._pacer, self._guard, skips_sampled=skips
        )
        try:
            is_over = sender.send(chunks)
        finally:
            self._count(delivered_spans=sender.delivered_spans, resent_chunks=sender.resent_chunks)
        if is_over and sender.state.undeliverable_spans:
            self._count(undeliverable_spans=sender.state.undeliverable_spans)
            say_undeliverable(self._signal, entry, sender.state)
        return is_over

    def _copy_to_json(self, entry: SpoolEntry, target: Destination, check_in: CheckIn) -> bool:
        """Write the OTLP-JSON copy of an incident; without the extra, say so once instead."""
        self._pacer.begin()
        try:
            written = write_json_copy(
                self._spool,
                entry,
                self._pacer,
                self._guard,
                lambda: self._may_go_on(entry, check_in()),
            )
        except MissingExtra as error:
            if not self._is_extra_missing:
                say_no_json(entry, error)
            self._is_extra_missing = True
            return True
        self._count(delivered_spans=written or 0)
        return written is not None

    def _succeeded(self, entry: SpoolEntry, target: Destination) -> None:
        self._count(delivered_incidents=1, pending_incidents=-1)
        self.statistics = replace(self.statistics, last_error="")
        self._failures.pop(entry.incident_id, None)
        if failures := self._backoff.succeeded():
            say_recovered(target, failures)

    def _failed(self, entry: SpoolEntry, target: Destination, error: Exception) -> float:
        self._failures[entry.incident_id] = self._attempts(entry) + 1
        self._count(failed_attempts=1)
        self.statistics = replace(self.statistics, last_error=without_secrets(str(error)))
        if not isinstance(error, FlightError | OSError):
            self._guard.note("deliver", error)
        if not self._backoff.failures:
            say_failed(self._signal, entry, target, error)
        return self._backoff.failed(getattr(error, "retry_after_seconds", 0.0))

    def _count(self, **more: int) -> None:
        now = self.statistics
        self.statistics = replace(now, **{key: getattr(now, key) + more[key] for key in more})

    def _close_exporter(self) -> None:
        exporter, self._exporter = self._exporter, None
        if exporter is not None and exporter is not self._given_exporter:
            self._shut_down(exporter)

    def _shut_down(self, exporter: Exporter) -> None:
        with self._guard.swallow("shut down exporter"):
            exporter.shutdown()


def _soonest(first: float | None, second: float) -> float:
    return second if first is None else min(first, second)
