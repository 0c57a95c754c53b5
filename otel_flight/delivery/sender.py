"""Sends one signal of an incident through one exporter, and notes in the spool how far it is.

A receiver has limits that nobody knows here: the Collector takes 4 MiB by gRPC and 20 by HTTP, a
proxy in front of it perhaps one. So a chunk that is too large goes out in halves, and these in
halves, down to single spans. A span that is refused even alone is given up and counted: it would
hold up all the others for ever. After a crash, at most one request is sent a second time: the one
whose answer was not noted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import msgspec

from otel_flight.delivery.chunks import Chunk
from otel_flight.delivery.incident_trace.trace import own_scope
from otel_flight.delivery.log_chunks import LogChunks
from otel_flight.delivery.other_windows import all_windows
from otel_flight.delivery.pacing import Pacer
from otel_flight.delivery.profiles.chunks import profile_chunks
from otel_flight.delivery.receiver.attempt import Attempt, Exporter, attempt_export
from otel_flight.delivery.receiver.signals import LOGS, PROFILES, Signal
from otel_flight.delivery.span_chunks import MOST_BYTES, MOST_SPANS, SpanChunks
from otel_flight.errors import DeliveryFailed
from otel_flight.ground.guard import Guard
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.spool.delivery_state import DeliveryState
from otel_flight.incidents.spool.directory import SpoolEntry
from otel_flight.incidents.spool.spool import Spool
from otel_flight.settings.fields import CoreSettings

PATIENCE: Final = 8
"""A receiver may call a chunk invalid this many times in a row before something in the chunk is
held to be wrong, and not the receiver: the last of them come after minutes. That a request is too
large needs no patience, as it stays so."""
MOST_UNTAKEN_SPANS: Final = 128
"""When this many spans were refused one by one and none was taken, the receiver takes nothing, and
more of them would only be a load on it."""


def chunks_to_send(
    signal: Signal,
    incident: Incident,
    pacer: Pacer,
    guard: Guard,
    *,
    skips_sampled: bool,
) -> Iterator[Chunk[Any]]:
    """Yield what a backend gets, less what it has from earlier incidents or another pipeline.

    The window is indexed with the first chunk, after the sender has noted that it begins.
    """
    endpoint = incident.manifest.pipeline_endpoint
    for number, part in enumerate(all_windows(incident, guard, pacer)):
        if signal is PROFILES:
            yield from profile_chunks(number, part, pacer)
        elif signal is LOGS:
            yield from LogChunks(part, pacer, guard)
        else:
            skips = skips_sampled and part.manifest.pipeline_endpoint == endpoint
            yield from SpanChunks(part, pacer, guard, skips_sampled=skips)


def is_sent_by_pipeline(
    incident: Incident, settings: CoreSettings, state: DeliveryState, endpoint: str
) -> bool:
    """Tell whether an endpoint has the sampled spans of an incident already.

    What could not be sent to it at first was perhaps not sent by the pipeline either, which tries
    for some seconds only: then all of it goes.

    Args:
        incident: about to be sent.
        settings: whether that counts.
        state: how far it is.
        endpoint: where it goes.
    """
    if not settings.skip_exported or incident.manifest.pipeline_endpoint != endpoint:
        return False
    has_begun = state.chunks or state.chunk_spans
    is_without = state.chunking == _chunking(skips_sampled=True)
    return not state.last_error or bool(has_begun and is_without)


class Sender:
    """Sends what an endpoint does not have yet; the caller holds the claim on the incident.

    For one thread. Of log records, what is said here of spans is true of records.

    Args:
        spool: keeps how far it is.
        entry: the incident, and how far it was.
        exporter: takes it there.
        endpoint: where that is; what went elsewhere does not count.
        skips_sampled: whether the chunks leave out sampled spans.
        go_on: asked before each request; when it says no, the delivery ends where it is.

    Attributes:
        state: how far it is, as noted last.
        delivered_spans: taken by the receiver.
        resent_chunks: requests sent again that may have arrived the first time.
    """

    def __init__(
        self,
        spool: Spool,
        entry: SpoolEntry,
        exporter: Exporter,
        endpoint: str,
        *,
        skips_sampled: bool = False,
        go_on: Callable[[], bool] = lambda: True,
    ) -> None:
        self._spool = spool
        self._entry = entry
        self._exporter = exporter
        self._endpoint = endpoint
        self._go_on = go_on
        self._new_state = DeliveryState(
            endpoint=endpoint, chunking=_chunking(skips_sampled=skips_sampled)
        )
        self.state = _resumed(entry.state, self._new_state)
        self._had_arrived_perhaps = self.state.may_have_arrived
        self._is_first_request = True
        self.delivered_spans = 0
        self.resent_chunks = 0

    def send(self, chunks: Iterable[Chunk[Any]]) -> bool:
        """Send what is left of the chunks, which are the same ones each time.

        Returns:
            Whether all of it is there now that the receiver takes; False when `go_on` said no.

        Raises:
            DeliveryFailed: a request failed and may go well later, or the receiver takes nothing.
            OSError: progress could not be noted.
        """
        self._note(attempts=self.state.attempts + 1)
        for position, chunk in enumerate(chunks):
            if position >= self.state.chunks and not self._send_chunk(position, chunk):
                still = self._is_first_request and self._had_arrived_perhaps
                self._note(attempts=self.state.attempts - 1, may_have_arrived=still)
                return False
        if self.state.undeliverable_spans and not self.state.has_taken:
            raise self._nothing_taken()
        self._note(delivered=True, may_have_arrived=False, last_error="")
        return True

    def _send_chunk(self, position: int, chunk: Chunk[Any]) -> bool:
        length = len(chunk)
        start = self.state.chunk_spans if self.state.chunk_length == length else 0
        left = [(start, length)] if length else []
        while left:
            if not self._go_on():
                return False
            start, stop = left.pop()
            self._note_request()
            attempt = attempt_export(self._exporter, chunk.part(start, stop))
            self._note_resent(attempt.repeats)
            if not attempt.failure:
                refused, reason = attempt.rejected_spans, attempt.answer.rejection
                self.delivered_spans += stop - start - refused
            elif not self._is_refused_for_its_content(attempt):
                raise self._failed(attempt)
            elif stop - start > 1:
                middle = (start + stop) // 2
                left += [(middle, stop), (start, middle)]
                continue
            else:
                refused, reason = 1, attempt.failure
            self._note_part(position, stop, length, refused, reason, is_taken=not attempt.failure)
            if self.state.undeliverable_spans >= MOST_UNTAKEN_SPANS and not self.state.has_taken:
                raise self._nothing_taken()
        return True

    def _is_refused_for_its_content(self, attempt: Attempt) -> bool:
        """Tell whether the receiver would take the chunk if something else were in it."""
        is_invalid = attempt.answer.is_invalid and self.state.refusals >= PATIENCE
        return attempt.answer.is_too_large or is_invalid

    def _note_request(self) -> None:
        """Note before the first request that one is on its way, in case we are killed."""
        if self._is_first_request:
            self._is_first_request = False
            self._note(may_have_arrived=True)
            self._note_resent(int(self._had_arrived_perhaps))

    def _note_resent(self, requests: int) -> None:
        if requests:
            self.resent_chunks += requests
            self._note(resent_chunks=self.state.resent_chunks + requests)

    def _note_part(
        self, position: int, stop: int, length: int, refused: int, reason: str, *, is_taken: bool
    ) -> None:
        """Note that the first `stop` of the `length` spans of a chunk are dealt with."""
        state = self.state
        if stop < length:
            changes: dict[str, object] = {"chunk_spans": stop, "chunk_length": length}
        else:
            changes = {"chunks": position + 1, "chunk_spans": 0, "chunk_length": 0, "refusals": 0}
        self._note(
            **changes,
            has_taken=state.has_taken or is_taken,
            undeliverable_spans=state.undeliverable_spans + refused,
            undeliverable_reason=reason or state.undeliverable_reason,
        )

    def _failed(self, attempt: Attempt) -> DeliveryFailed:
        self._note(
            last_error=attempt.failure,
            may_have_arrived=attempt.may_have_arrived,
            refusals=self.state.refusals + attempt.answer.is_invalid,
        )
        return DeliveryFailed(self._endpoint, attempt.failure, attempt.answer.retry_after_seconds)

    def _nothing_taken(self) -> DeliveryFailed:
        """Forget that anything was dealt with; how often it was tried stays known."""
        why = f"it takes none of the spans: {self.state.undeliverable_reason}"
        self.state = msgspec.structs.replace(self._new_state, attempts=self.state.attempts)
        self._note(last_error=why)
        return DeliveryFailed(self._endpoint, why)

    def _note(self, **changes: object) -> None:
        self.state = msgspec.structs.replace(self.state, **changes)
        self._spool.save_state(self._entry, self.state)


def _resumed(state: DeliveryState, new: DeliveryState) -> DeliveryState:
    """Return where to go on from what is in the spool.

    Args:
        state: what is there.
        new: how a delivery begins there now.
    """
    if state.endpoint != new.endpoint:
        return new
    begun = msgspec.structs.replace(new, attempts=state.attempts)
    if state.chunking == begun.chunking:
        return state
    # Another release began, or sampled spans were left out: its first chunks may hold other spans
    # than ours, so that skipping them could lose some.
    return msgspec.structs.replace(
        begun,
        may_have_arrived=state.may_have_arrived,
        resent_chunks=state.resent_chunks + state.chunks + bool(state.chunk_spans),
    )


def _chunking(*, skips_sampled: bool) -> str:
    which = " without sampled spans" if skips_sampled else ""
    return f"{own_scope().version or '?'} {MOST_SPANS} {MOST_BYTES}{which}"
