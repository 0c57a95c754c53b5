"""Hands one incident of the spool over, chunk by chunk, and notes in the spool how far it is.

After a crash, at most one request is sent a second time: the one whose answer was not noted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from otel_flight.delivery.chunk_sending import ChunkSender
from otel_flight.delivery.chunks import Chunk
from otel_flight.delivery.delivery_progress import DeliveryProgress
from otel_flight.delivery.json_copy import write_json_copy
from otel_flight.delivery.log_chunks import LogChunks
from otel_flight.delivery.pacing import Pacer
from otel_flight.delivery.receiver.attempt import Exporter
from otel_flight.delivery.span_chunks import SpanChunks
from otel_flight.errors import MissingExtra
from otel_flight.guard import Guard
from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.spool import DeliveryState, Spool, SpoolEntry
from otel_flight.settings.fields import CoreSettings

_logger = logging.getLogger("otel_flight")


class IncidentDelivery:
    """Delivers incidents of a spool, one after another, on one thread at a time.

    Args:
        spool: where they are, and where progress is kept.
        settings: what is left out.
        guard: notes spans that cannot be built; the others go out.
        pacer: keeps the work off the application's back.

    Attributes:
        delivered_spans: handed over since this was made.
        resent_chunks: requests sent again, as it is not known whether they had arrived.
        undeliverable_spans: not taken by a receiver that has taken the others of their incident.
        state: of the incident that was sent last.
    """

    def __init__(
        self,
        spool: Spool,
        settings: CoreSettings,
        guard: Guard,
        pacer: Pacer,
    ) -> None:
        self._spool = spool
        self._settings = settings
        self._guard = guard
        self._pacer = pacer
        self._is_extra_missing = False
        self.delivered_spans = 0
        self.resent_chunks = 0
        self.undeliverable_spans = 0
        self.state = DeliveryState()

    def send(
        self,
        entry: SpoolEntry,
        exporter: Exporter,
        endpoint: str,
        go_on: Callable[[], bool] = lambda: True,
    ) -> bool:
        """Send what has not been sent to this endpoint yet. The caller holds the claim.

        Args:
            entry: the incident.
            exporter: takes it there.
            endpoint: where, for people, and to tell whether something was sent there before.
            go_on: asked before each request; when it says no, the delivery ends where it is.

        Returns:
            Whether all of it is there now that the receiver takes; False when `go_on` said no.

        Raises:
            DeliveryFailed: the exporter could not send a chunk, or the receiver takes nothing.
            NotAnIncident: the file cannot be read.
            OSError: progress could not be noted.
        """
        incident = read_incident(entry.path)
        progress = DeliveryProgress(self._spool, entry, endpoint)
        progress.note(attempts=progress.state.attempts + 1)
        self._pacer.begin()
        sender = ChunkSender(exporter, endpoint, progress, go_on)
        try:
            for position, chunk in enumerate(self._chunks(incident)):
                if position >= progress.state.chunks and not sender.send(position, chunk):
                    progress.note(attempts=progress.state.attempts - 1)
                    return False
            sender.finish()
        finally:
            self.delivered_spans += sender.delivered_spans
            self.resent_chunks += sender.resent_chunks
        self.state = progress.state
        self.undeliverable_spans += progress.state.undeliverable_spans
        return True

    def _chunks(self, incident: Incident) -> Iterable[Chunk[Any]]:
        skips_sampled = self._settings.skip_exported and incident.manifest.is_pipeline_exporting
        return SpanChunks(incident, self._pacer, self._guard, skips_sampled=skips_sampled)

    def copy_to_json(self, entry: SpoolEntry, go_on: Callable[[], bool] = lambda: True) -> bool:
        """Write the OTLP-JSON copy beside the incident; without the extra, say so once instead.

        Returns:
            Whether the incident is done with; False when `go_on` said no.

        Raises:
            DeliveryFailed, NotAnIncident, OSError: it could not be read or written.
        """
        path = self._spool.json_path(entry)
        incident = read_incident(entry.path)
        state = self._note(entry, entry.state, attempts=entry.state.attempts + 1)
        self._pacer.begin()
        try:
            written = write_json_copy(incident, path, self._pacer, self._guard, go_on)
        except MissingExtra as error:
            if not self._is_extra_missing:
                _logger.warning("otel-flight: %s; %s itself is complete", error, entry.path)
            self._is_extra_missing = True
            self._note(entry, state, delivered=True, last_error=str(error))
            return True
        if written is None:
            self._note(entry, entry.state)
            return False
        self.delivered_spans += written
        self._note(entry, state, delivered=True, endpoint=str(path), last_error="")
        return True

    def _note(self, entry: SpoolEntry, state: DeliveryState, **changes: object) -> DeliveryState:
        changed = msgspec.structs.replace(state, **changes)
        self._spool.save_state(entry, changed)
        return changed


class LogDelivery(IncidentDelivery):
    """Delivers the log records of incidents the same way, which are then what is counted.

    Its spool is the one that has the states of log records: `Spool.of_logs`.
    """

    def _chunks(self, incident: Incident) -> Iterable[Chunk[Any]]:
        return LogChunks(incident, self._pacer, self._guard)
