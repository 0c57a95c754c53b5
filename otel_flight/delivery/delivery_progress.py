"""How far the delivery of one incident is: in the spool with every change, as of the last one."""

from __future__ import annotations

import functools
import importlib.metadata

import msgspec

from otel_flight.delivery.span_chunks import MOST_BYTES, MOST_SPANS
from otel_flight.incidents.spool import DeliveryState, Spool, SpoolEntry


class DeliveryProgress:
    """The state of one incident whose claim the caller holds. For one thread at a time.

    Args:
        spool: where it is kept.
        entry: the incident, and its state so far.
        endpoint: where it is going; what went elsewhere does not count.

    Attributes:
        state: as it was noted last.
    """

    def __init__(self, spool: Spool, entry: SpoolEntry, endpoint: str) -> None:
        self._spool = spool
        self._entry = entry
        self.state = entry.state
        if entry.state.endpoint != endpoint:
            self.state = DeliveryState(endpoint=endpoint, division=_division())
        elif entry.state.division != _division():
            self.state = _begun_again(entry.state)

    def note(self, **changes: object) -> None:
        """Note what has changed.

        Raises:
            OSError: it could not be written.
        """
        self.state = msgspec.structs.replace(self.state, **changes)
        self._spool.save_state(self._entry, self.state)

    def note_part(self, position: int, stop: int, length: int, **changes: object) -> None:
        """Note that the first `stop` of the `length` spans of a chunk are dealt with."""
        if stop < length:
            self.note(chunk_spans=stop, chunk_length=length, **changes)
        else:
            self.note(chunks=position + 1, chunk_spans=0, chunk_length=0, refusals=0, **changes)

    def start_of(self, length: int) -> int:
        """Return how many of the spans of the next chunk, of so many, are dealt with."""
        return self.state.chunk_spans if self.state.chunk_length == length else 0

    def start_over(self, why: str) -> None:
        """Forget that anything was dealt with; how often it was tried stays known."""
        state = self.state
        self.state = DeliveryState(
            endpoint=state.endpoint, division=state.division, attempts=state.attempts
        )
        self.note(last_error=why)


def _begun_again(state: DeliveryState) -> DeliveryState:
    """Return the state of an incident that another release has begun to deliver.

    Its first chunks may hold other spans than ours, so that skipping them could lose some.
    """
    repeated = state.chunks + bool(state.chunk_spans)
    return DeliveryState(
        endpoint=state.endpoint,
        division=_division(),
        attempts=state.attempts,
        is_in_doubt=state.is_in_doubt,
        resent_chunks=state.resent_chunks + repeated,
    )


@functools.cache
def _division() -> str:
    try:
        version = importlib.metadata.version("otel-flight")
    except importlib.metadata.PackageNotFoundError:  # a copy on the path, never installed
        version = "?"
    return f"{version} {MOST_SPANS} {MOST_BYTES}"
