"""Delivers what is in a spool: which incident next, what after a failure, what to say about it.

Incidents that were tried less often go first, among them the newest: that is the one someone is
waiting for, and one that the backend refuses time and again does not hold up the others.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from otel_flight.delivery.backoff import Backoff
from otel_flight.delivery.cargo import SPANS, BuildExporter, Cargo
from otel_flight.delivery.pacing import Pacer
from otel_flight.delivery.receiver.attempt import Exporter
from otel_flight.delivery.receiver.exporters import Destination
from otel_flight.errors import FlightError, IncidentNotFound, NotAnIncident
from otel_flight.guard import Guard
from otel_flight.incidents.spool import DeliveryState, Spool, SpoolEntry
from otel_flight.settings.fields import CoreSettings

_logger = logging.getLogger("otel_flight")

LOOK_AGAIN_SECONDS: Final = 60.0
"""When to look again at what another process is delivering: it may have died over it."""


@dataclass(frozen=True)
class DeliveryStatistics:
    """What was delivered.

    Attributes:
        delivered_incidents: handed over completely.
        delivered_spans: handed over, those of unfinished deliveries included.
        failed_attempts: deliveries of an incident that failed; it is tried again.
        pending_incidents: in the spool and not delivered, when last looked at.
        resent_chunks: requests sent again, as it is not known whether they had arrived.
        undeliverable_spans: of delivered incidents, the spans that the backend does not take.
        last_error: why the last attempt failed; empty when it did not.
    """

    delivered_incidents: int = 0
    delivered_spans: int = 0
    failed_attempts: int = 0
    pending_incidents: int = 0
    resent_chunks: int = 0
    undeliverable_spans: int = 0
    last_error: str = ""


class SpoolDelivery:
    """Delivers the pending incidents of a spool, on one thread at a time.

    An exporter exists only while something is delivered: no connection lingers, and no gRPC channel
    is there when the process forks.

    Args:
        spool: what to deliver.
        settings: where to, and how fast.
        guard: notes what fails for reasons nobody thought of.
        pacer: keeps the work off the application's back.
        cargo: what of the incidents is delivered.
        build_exporter: makes the OTLP exporter; None: the cargo's.
        backoff: how long to wait after a failure.

    Attributes:
        statistics: what was delivered so far; replaced as a whole.
    """

    def __init__(
        self,
        spool: Spool,
        settings: CoreSettings,
        guard: Guard,
        pacer: Pacer,
        *,
        cargo: Cargo = SPANS,
        build_exporter: BuildExporter | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self._cargo = cargo
        self._spool = cargo.with_states(spool)
        self._settings = settings
        self._guard = guard
        self._build_exporter = build_exporter or cargo.build_exporter
        self._backoff = backoff or Backoff()
        self._delivery = cargo.delivery(self._spool, settings, guard, pacer)
        self._exporter: Exporter | None = None
        self._unreadable: set[str] = set()
        self.statistics = DeliveryStatistics()

    @property
    def is_failing(self) -> bool:
        """Whether the last attempt failed."""
        return self._backoff.failures > 0

    def deliver_pending(
        self,
        wants: Callable[[SpoolEntry], bool],
        go_on: Callable[[SpoolEntry], bool],
        timeout_seconds: float | None = None,
    ) -> float | None:
        """Deliver what is pending, until nothing is left or something fails.

        Args:
            wants: asked before each incident whether to begin with it.
            go_on: asked before each chunk whether to go on with this incident.
            timeout_seconds: for each chunk; None: what the environment says.

        Returns:
            In how many seconds to come again; None: when something new is in the spool.
        """
        target = self._cargo.destination(self._settings)
        skipped: set[str] = set(self._unreadable)
        wait_seconds: float | None = None
        try:
            while entry := self._next(skipped, wants, target):
                try:
                    if not self._deliver(entry, target, go_on, timeout_seconds):
                        skipped.add(entry.incident_id)
                        wait_seconds = LOOK_AGAIN_SECONDS
                except NotAnIncident as error:
                    self._unreadable.add(entry.incident_id)
                    skipped.add(entry.incident_id)
                    _logger.warning("otel-flight cannot deliver an incident: %s", error)
                except Exception as error:  # noqa: BLE001  (any: the next attempt may go well)
                    return self._failed(entry, target, error)
        finally:
            self._close_exporter()
        return wait_seconds

    def abort(self, timeout_seconds: float) -> None:
        """Shut the exporter down, so that a hanging export returns. Any thread; bounded."""
        exporter = self._exporter
        if exporter is None:
            return
        # Old exporters wait here for the very call that hangs.
        thread = threading.Thread(
            target=self._shut_down, args=(exporter,), name="otel-flight-exporter-stop", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # the interpreter is going down, and the hanging thread with it
            return
        thread.join(timeout_seconds)

    def _next(
        self, skipped: set[str], wants: Callable[[SpoolEntry], bool], target: Destination
    ) -> SpoolEntry | None:
        pending = [entry for entry in self._spool.entries() if not entry.state.delivered]
        self.statistics = replace(self.statistics, pending_incidents=len(pending))
        if target.kind == "off":
            return None
        pending.sort(key=lambda entry: (entry.state.attempts, -entry.written_ns))
        for entry in pending:
            if entry.incident_id not in skipped and wants(entry):
                return entry
        return None

    def _deliver(
        self,
        entry: SpoolEntry,
        target: Destination,
        go_on: Callable[[SpoolEntry], bool],
        timeout_seconds: float | None,
    ) -> bool:
        """Deliver one incident; return False when it is left to someone else, or for later."""
        with self._spool.claim(entry) as is_ours:
            if not is_ours:
                return False
            try:
                claimed = self._spool.find(entry.incident_id)
            except IncidentNotFound:
                return True
            if claimed.state.delivered:  # by another process, between our look and our claim
                return True
            is_through = self._hand_over(claimed, target, lambda: go_on(entry), timeout_seconds)
        self._count(delivered=is_through)
        if is_through:
            self._recovered(target)
        return is_through

    def _hand_over(
        self,
        entry: SpoolEntry,
        target: Destination,
        go_on: Callable[[], bool],
        timeout_seconds: float | None,
    ) -> bool:
        if target.kind == "json":
            return self._delivery.copy_to_json(entry, go_on)
        if self._exporter is None:
            self._exporter = self._build_exporter(self._settings, timeout_seconds)
        is_through = self._delivery.send(entry, self._exporter, target.endpoint, go_on)
        if is_through and self._delivery.state.undeliverable_spans:
            self._tell_what_is_missing(entry, self._delivery.state)
        return is_through

    def _tell_what_is_missing(self, entry: SpoolEntry, state: DeliveryState) -> None:
        _logger.warning(
            "otel-flight: %s does not take %d of the %ss of incident %s: %s. They are in %s",
            state.endpoint,
            state.undeliverable_spans,
            self._cargo.item,
            entry.incident_id,
            state.undeliverable_reason or "it gives no reason",
            entry.path,
        )

    def _recovered(self, target: Destination) -> None:
        failures = self._backoff.succeeded()
        if failures:
            _logger.info(
                "otel-flight delivers to %s again, after %d failed attempts",
                target.endpoint or target.kind,
                failures,
            )

    def _failed(self, entry: SpoolEntry, target: Destination, error: Exception) -> float:
        self._count(failed=str(error))
        if not isinstance(error, FlightError | OSError):
            self._guard.note("deliver", error)
        if not self.is_failing:
            _logger.warning(
                "otel-flight could not deliver %s %s to %s: %s. It stays in the spool and is "
                "tried again; from here on failures are only counted",
                self._cargo.of_incident,
                entry.incident_id,
                target.endpoint or target.kind,
                getattr(error, "why", None) or error,
            )
        return self._backoff.failed(getattr(error, "retry_after_seconds", 0.0))

    def _count(self, *, delivered: bool = False, failed: str = "") -> None:
        now = self.statistics
        self.statistics = replace(
            now,
            delivered_incidents=now.delivered_incidents + delivered,
            delivered_spans=self._delivery.delivered_spans,
            failed_attempts=now.failed_attempts + bool(failed),
            pending_incidents=now.pending_incidents - delivered,
            resent_chunks=self._delivery.resent_chunks,
            undeliverable_spans=self._delivery.undeliverable_spans,
            last_error=failed,
        )

    def _close_exporter(self) -> None:
        exporter, self._exporter = self._exporter, None
        if exporter is not None:
            self._shut_down(exporter)

    def _shut_down(self, exporter: Exporter) -> None:
        with self._guard.swallow("shut down exporter"):
            exporter.shutdown()
