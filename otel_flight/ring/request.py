"""Ask another process for an incident, by a request in its ring's header.

The owner's ticker answers (triggers/external.py). Requesters exclude each other by a record lock on
the request's bytes, which the kernel drops when one dies. An unanswered request is never
overwritten: the owner might be reading it.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from otel_flight.errors import NotARing
from otel_flight.ground.clock import monotonic_ns, wall_ns
from otel_flight.ground.native import posix
from otel_flight.ground.own_files import open_file
from otel_flight.ring import layout
from otel_flight.ring.file import is_owner_alive

_POLL_SECONDS: Final = 0.05
"""The rings are looked at for answers this often, in seconds."""
_LAST_NUMBER: Final = (1 << 64) - 1
_LONGEST: Final = layout.REQUEST_BYTES - 2
"""A request may have this many bytes of JSON; a longer one is refused."""
NO_ANSWER: Final = "no answer"
"""The outcome of a request that was not answered in time."""
GONE: Final = "gone"
"""The outcome of a request to a process that ended meanwhile."""


@dataclass(frozen=True)
class Reply:
    """What became of a request.

    Attributes:
        ring: the ring it was written into.
        pid: the process that owns it.
        outcome: what the gate said (`opened`, `joined`, `cooldown`, `budget`, …), `no answer` when
            time ran out, `gone` when the process ended meanwhile.
        incident_id: the incident that was opened or joined, None when there is none.
    """

    ring: Path
    pid: int
    outcome: str
    incident_id: str | None = None


def ask_for_incidents(
    rings: Sequence[Path],
    reason: str,
    attributes: Mapping[str, Any],
    timeout_seconds: float,
) -> list[Reply]:
    """Ask the owners of all these rings at once and wait for their answers.

    Blocks until all have answered, at most for the timeout.

    Args:
        rings: ring files.
        reason: in a few words, of low cardinality.
        attributes: anything JSON can hold.
        timeout_seconds: for all of them together.

    Returns:
        A reply for each ring, in their order.

    Raises:
        NotARing: one of the files is none, or is not ours to write to.
        ValueError: reason and attributes are too long.
    """
    payload = encode_request(reason, attributes)
    deadline = monotonic_ns() + int(timeout_seconds * 1e9)
    with ExitStack() as stack:
        requests = []
        for path in rings:
            requests.append(RingRequest(path, payload))
            stack.callback(requests[-1].close)
        replies = [request.advance() for request in requests]
        while None in replies and monotonic_ns() < deadline:
            time.sleep(_POLL_SECONDS)
            replies = [
                reply or request.advance() for request, reply in zip(requests, replies, strict=True)
            ]
        return [
            reply or Reply(request.path, request.pid, NO_ANSWER)
            for request, reply in zip(requests, replies, strict=True)
        ]


def encode_request(reason: str, attributes: Mapping[str, Any]) -> bytes:
    """Return a request as it stands in the ring's header.

    Raises:
        ValueError: it does not fit.
    """
    fields = {"reason": reason, "attributes": dict(attributes), "time_ns": wall_ns()}
    blob = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    if len(blob) > _LONGEST:
        raise ValueError(
            f"reason and attributes take {len(blob)} bytes, and only {_LONGEST} fit: shorten them"
        )
    return len(blob).to_bytes(2, "little") + blob


class RingRequest:
    """One request to one process; `advance` it until there is a reply, then close it."""

    def __init__(self, path: Path, payload: bytes) -> None:
        self.path = path
        self._payload = payload
        self._number = 0
        try:
            self._descriptor = open_file(path, os.O_RDWR)
        except OSError as error:
            raise NotARing(path, error.strerror or str(error)) from error
        try:
            self._memory = mmap.mmap(self._descriptor, layout.HEADER_BYTES)
        except (OSError, ValueError) as error:
            posix.close(self._descriptor)
            raise NotARing(path, str(error)) from error
        self._view = memoryview(self._memory)
        self._words = self._view.cast("Q")
        if self._words[layout.W_MAGIC] != layout.MAGIC:
            self.close()
            raise NotARing(path, "it does not begin with OTFLIGHT")
        self.pid = self._words[layout.W_PID]
        self._step: Callable[[], None] = self._lock

    def advance(self) -> Reply | None:
        """Do what can be done without waiting; return the reply when there is one."""
        if self._number == 0:
            self._step()
        if self._number and self._words[layout.W_ANSWERED] == self._number:
            return self._read_answer()
        is_closed = self._words[layout.W_STATE] == layout.STATE_CLEAN
        if is_closed or not is_owner_alive(self._descriptor):
            return Reply(self.path, self.pid, GONE)
        return None

    def close(self) -> None:
        """Close the ring, which releases the lock."""
        self._words.release()
        self._view.release()
        self._memory.close()
        posix.close(self._descriptor)

    def _lock(self) -> None:
        try:
            fcntl.lockf(
                self._descriptor,
                fcntl.LOCK_EX | fcntl.LOCK_NB,
                layout.REQUEST_BYTES,
                layout.REQUEST_OFFSET,
            )
        except (BlockingIOError, PermissionError):  # another requester: next time
            return
        self._step = self._write
        self._write()

    def _write(self) -> None:
        words = self._words
        last = words[layout.W_REQUEST]
        if words[layout.W_ANSWERED] != last:  # left by a requester that did not wait long enough
            return
        start = layout.REQUEST_OFFSET
        self._view[start : start + len(self._payload)] = self._payload
        # Of a damaged ring it may be the last number that there is.
        words[layout.W_REQUEST] = self._number = last % _LAST_NUMBER + 1

    def _read_answer(self) -> Reply:
        start = layout.ANSWER_OFFSET
        length = int.from_bytes(self._view[start : start + 2], "little")
        length = min(length, layout.ANSWER_BYTES - 2)
        try:
            answer = json.loads(bytes(self._view[start + 2 : start + 2 + length]))
        except ValueError:
            answer = {}
        fields = answer if isinstance(answer, dict) else {}
        incident_id = fields.get("incident_id")
        return Reply(
            self.path,
            self.pid,
            str(fields.get("outcome", "answered")),
            str(incident_id) if incident_id else None,
        )
