"""Sends the chunks of one incident, dividing what the receiver does not take as a whole.

A receiver has limits that nobody knows here: the Collector takes 4 MiB by gRPC and 20 by HTTP, a
proxy in front of it perhaps one. So a chunk that is too large goes out in halves, and these in
halves, down to single spans. A span that is refused even alone is given up and counted: it would
hold up all the others for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from otel_flight.delivery.chunks import Chunk
from otel_flight.delivery.delivery_progress import DeliveryProgress
from otel_flight.delivery.receiver.attempt import Attempt, Exporter, attempt_export
from otel_flight.errors import DeliveryFailed

PATIENCE: Final = 8
"""Refusals in a row before something in the chunk is held to be wrong, and not the receiver: the
last of them come after minutes. That a request is too large needs none, as it stays so."""
MOST_UNTAKEN_SPANS: Final = 128
"""Refused one by one, and nothing taken yet: such a receiver takes nothing, and more of that would
only be a load on it."""


class ChunkSender:
    """Sends chunks to one receiver, noting how far it is after each request.

    Of log records, what is said here of spans is true of records.

    Args:
        exporter: takes them there.
        endpoint: where that is, for people.
        progress: of the incident.
        go_on: asked before each request whether to send it.

    Attributes:
        delivered_spans: taken by the receiver.
        resent_chunks: requests sent again that may have arrived the first time.
    """

    def __init__(
        self,
        exporter: Exporter,
        endpoint: str,
        progress: DeliveryProgress,
        go_on: Callable[[], bool],
    ) -> None:
        self._exporter = exporter
        self._endpoint = endpoint
        self._progress = progress
        self._go_on = go_on
        self._was_in_doubt = progress.state.is_in_doubt
        self._is_first = True
        self.delivered_spans = 0
        self.resent_chunks = 0

    def send(self, position: int, chunk: Chunk[Any]) -> bool:
        """Send what is left of a chunk; return False when `go_on` said no.

        Raises:
            DeliveryFailed: a request failed, and may go well later.
            OSError: progress could not be noted.
        """
        length = len(chunk)
        left = [(self._progress.start_of(length), length)] if length else []
        while left:
            if not self._go_on():
                self._progress.note(is_in_doubt=self._was_in_doubt and self._is_first)
                return False
            start, stop = left.pop()
            attempt = self._export(chunk.part(start, stop))
            if not attempt.failure:
                self._taken(attempt, position, start, stop, length)
            elif not self._is_for_its_content(attempt):
                raise self._failed(attempt)
            elif stop - start > 1:
                middle = (start + stop) // 2
                left += [(middle, stop), (start, middle)]
            else:
                self._given_up(attempt, position, stop, length)
        return True

    def finish(self) -> None:
        """Note that all of it is there; unless the receiver has taken nothing at all.

        Raises:
            DeliveryFailed: it has not.
            OSError: progress could not be noted.
        """
        state = self._progress.state
        if state.undeliverable_spans and not state.has_taken:
            raise self._nothing_taken()
        self._progress.note(delivered=True, is_in_doubt=False, last_error="")

    def _export(self, part: Chunk[Any]) -> Attempt:
        if self._is_first:
            self._is_first = False
            self._progress.note(is_in_doubt=True)
            self._count_resent(int(self._was_in_doubt))
        attempt = attempt_export(self._exporter, part)
        self._count_resent(attempt.repeats)
        return attempt

    def _count_resent(self, requests: int) -> None:
        if requests:
            self.resent_chunks += requests
            self._progress.note(resent_chunks=self._progress.state.resent_chunks + requests)

    def _taken(self, attempt: Attempt, position: int, start: int, stop: int, length: int) -> None:
        self.delivered_spans += stop - start - attempt.rejected_spans
        changes: dict[str, object] = {"has_taken": True}
        if attempt.rejected_spans:
            changes |= self._undeliverable(attempt.rejected_spans, attempt.answer.rejection)
        self._progress.note_part(position, stop, length, **changes)

    def _given_up(self, attempt: Attempt, position: int, stop: int, length: int) -> None:
        changes = self._undeliverable(1, attempt.failure)
        self._progress.note_part(position, stop, length, **changes)
        state = self._progress.state
        if state.undeliverable_spans >= MOST_UNTAKEN_SPANS and not state.has_taken:
            raise self._nothing_taken()

    def _undeliverable(self, spans: int, reason: str) -> dict[str, object]:
        state = self._progress.state
        return {
            "undeliverable_spans": state.undeliverable_spans + spans,
            "undeliverable_reason": reason or state.undeliverable_reason,
        }

    def _is_for_its_content(self, attempt: Attempt) -> bool:
        """Tell whether the receiver would take the chunk if something else were in it."""
        is_invalid = attempt.answer.is_invalid and self._progress.state.refusals >= PATIENCE
        return attempt.answer.is_too_large or is_invalid

    def _failed(self, attempt: Attempt) -> DeliveryFailed:
        self._progress.note(
            last_error=attempt.failure,
            is_in_doubt=attempt.is_uncertain,
            refusals=self._progress.state.refusals + attempt.answer.is_invalid,
        )
        return DeliveryFailed(self._endpoint, attempt.failure, attempt.answer.retry_after_seconds)

    def _nothing_taken(self) -> DeliveryFailed:
        why = f"it takes none of the spans: {self._progress.state.undeliverable_reason}"
        self._progress.start_over(why)
        return DeliveryFailed(self._endpoint, why)
