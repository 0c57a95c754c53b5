"""The owner's end of a ring: its header, its two lanes, its requests from outside."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from opentelemetry.sdk.version import __version__ as sdk_version

from otel_flight.ground.clock import monotonic_ns, wall_ns
from otel_flight.ground.deadline import NOW, Deadline
from otel_flight.ground.native import getpid
from otel_flight.records.definitions import encode_bounded
from otel_flight.ring import layout
from otel_flight.ring.facts import PID_NAMESPACE
from otel_flight.ring.file import Backing
from otel_flight.ring.lane_writer import LaneWriter
from otel_flight.ring.reader import RingImage

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_PID_NAMESPACE: Final = Path("/proc/self/ns/pid")


def boot_id() -> str:
    """Return the kernel's id of this boot, empty where there is none."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def pid_namespace() -> str:
    """Return within what the numbers of processes are meant here, empty where that is not known."""
    try:
        return str(_PID_NAMESPACE.readlink())
    except OSError:
        return ""


class Ring:
    """A ring being written. The lanes are for any thread, everything else for the ticker's."""

    def __init__(
        self,
        backing: Backing,
        lanes: tuple[LaneWriter, LaneWriter],
        segments: tuple[int, int],
        facts: Mapping[str, Any],
    ) -> None:
        self.backing = backing
        self.lanes = lanes
        self._words = memoryview(backing.memory).cast("Q")
        self.image = RingImage(backing.memory)
        self._write_header(facts)
        first = 0
        for lane, count in zip(lanes, segments, strict=True):
            lane.attach(backing.memory, self._words, first, count)
            first += count
        self._words[layout.W_STATE] = layout.STATE_LIVE
        self._words[layout.W_MAGIC] = layout.MAGIC

    def _write_header(self, facts: Mapping[str, Any]) -> None:
        words = self._words
        words[layout.W_VERSION] = layout.FORMAT_VERSION
        words[layout.W_FILE_SIZE] = len(self.backing.memory)
        words[layout.W_PID] = getpid()
        words[layout.W_CREATED_WALL] = words[layout.W_HEARTBEAT_WALL] = wall_ns()
        words[layout.W_CREATED_MONOTONIC] = words[layout.W_HEARTBEAT_MONOTONIC] = monotonic_ns()
        self.write_facts(facts)

    def write_facts(self, facts: Mapping[str, Any]) -> None:
        """Write what readers should know of this process; at the start and when it changes."""
        known = {
            "host": socket.gethostname(),
            "boot_id": boot_id(),
            PID_NAMESPACE: pid_namespace(),
            "python": sys.version.split()[0],
            "implementation": sys.implementation.name,
            "sdk": sdk_version,
            **facts,
        }
        blob = encode_bounded((known,), layout.FACTS_BYTES - 2)
        self._write_sized(layout.FACTS_OFFSET, blob)

    def heartbeat(self) -> None:
        """Note that the process lives, and the lanes' drop counts, for readers outside."""
        words = self._words
        words[layout.W_HEARTBEAT_WALL] = wall_ns()
        words[layout.W_HEARTBEAT_MONOTONIC] = monotonic_ns()
        for number, lane in enumerate(self.lanes):
            words[layout.lane_word(number, layout.L_DROPPED)] = lane.counts().dropped_records

    def note_termination(self, last_ns: int) -> None:
        """Note when SIGTERM came last or the end began, or `UNNOTICED`."""
        self._words[layout.W_TERMINATED] = last_ns

    def set_exported(self, lane: int, record: int) -> None:
        """Note that records of `lane` before number `record` are in an incident already."""
        self._words[layout.lane_word(lane, layout.L_EXPORTED)] = record

    def exported(self, lane: int) -> int:
        """Return the number of the first record of `lane` that is in no incident yet."""
        return self._words[layout.lane_word(lane, layout.L_EXPORTED)]

    def taken(self, lane: int) -> int:
        """Return the same of the incidents of other processes."""
        return self._words[layout.lane_word(lane, layout.L_TAKEN)]

    def take_request(self) -> dict[str, Any] | None:
        """Return a request another process wrote since the last call, None when there is none."""
        words = self._words
        if words[layout.W_REQUEST] == words[layout.W_ANSWERED]:
            return None
        request = self.image.sized_json(layout.REQUEST_OFFSET, layout.REQUEST_BYTES)
        return request if isinstance(request, dict) else {}

    def answer_request(self, answer: Mapping[str, Any]) -> None:
        """Answer the request that `take_request` returned, so that the next one is taken."""
        blob = json.dumps(answer).encode()[: layout.ANSWER_BYTES - 2]
        self._write_sized(layout.ANSWER_OFFSET, blob)
        self._words[layout.W_ANSWERED] = self._words[layout.W_REQUEST]

    def close(self, deadline: Deadline = NOW, *, clean: bool) -> None:
        """Release the memory, waiting for writers until then.

        A clean close removes the file: nothing is left to recover.
        """
        for lane in self.lanes:
            lane.detach(deadline)
        if clean:
            self._words[layout.W_STATE] = layout.STATE_CLEAN
        self._release(unlink=clean)

    def abandon(self) -> None:
        """Release a ring that belongs to the parent process, leaving it untouched.

        The child inherits the parent's lock with its descriptors; until the child closes them, the
        parent's ring would look alive after the parent's death.
        """
        for lane in self.lanes:
            lane.disown()
        self._release(unlink=False)

    def _release(self, *, unlink: bool) -> None:
        # Someone who is reading at this moment keeps the memory until they are done: only then can
        # it be unmapped. Neither the file nor its lock may wait for that.
        with contextlib.suppress(BufferError):
            self.image.release()
            self._words.release()
        self.backing.close(unlink=unlink)

    def _write_sized(self, offset: int, blob: bytes) -> None:
        self.backing.memory[offset : offset + 2 + len(blob)] = (
            len(blob).to_bytes(2, "little") + blob
        )
