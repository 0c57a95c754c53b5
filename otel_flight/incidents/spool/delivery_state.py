"""How far the delivery of an incident is: what stands in the small files beside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import msgspec

from otel_flight.ground.own_files import open_file, whole_file

_MOST_BYTES: Final = 64 * 1024
"""A state has at most this many bytes; what is in a longer file is none."""
_Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]


class DeliveryState(msgspec.Struct, frozen=True):
    """How far the delivery of an incident is; that of its log records has records for spans."""

    delivered: bool = False
    chunking: str = msgspec.field(default="", name="division")
    """What put it into chunks: a release and its limits."""
    chunks: _Count = 0
    """Chunks dealt with so far, in an order that the file alone decides."""
    chunk_spans: _Count = 0
    """Spans dealt with of the next chunk, where the receiver did not take it as a whole."""
    chunk_length: _Count = 0
    """Spans in that chunk; with other settings it may have others, and is begun again."""
    attempts: _Count = 0
    last_error: str = ""
    may_have_arrived: bool = msgspec.field(default=False, name="is_in_doubt")
    """Whether there is a request that no answer is known of: it is on its way, or lost."""
    resent_chunks: _Count = 0
    """Requests sent again that may have arrived the first time."""
    has_taken: bool = False
    """Whether the receiver has taken any of it."""
    refusals: _Count = 0
    """How often in a row the receiver did not take what is in the next chunk."""
    undeliverable_spans: _Count = 0
    """Spans that the receiver does not take, however they are sent."""
    undeliverable_reason: str = ""
    endpoint: str = ""
    """Where it went, or is going."""


def read_state(path: Path) -> DeliveryState:
    """Return what a file says; where it is missing or broken, that nothing was delivered.

    So it is delivered again, and not lost.
    """
    try:
        with os.fdopen(open_file(path), "rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            return DeliveryState()
        return msgspec.json.decode(data, type=DeliveryState)
    except (OSError, ValueError, msgspec.MsgspecError, RecursionError):
        return DeliveryState()


def write_state(path: Path, state: DeliveryState) -> None:
    """Write a state, whole or not at all.

    Raises:
        OSError: it could not be written.
    """
    with whole_file(path) as stream:
        stream.write(msgspec.json.encode(state))
