"""The windows of the other processes of a service, read from their rings without their help.

What does not work: asking them. One that hangs with the GIL held, or was stopped or killed, never
answers, and is the one whose window is wanted most. A ring is a file: who holds an incident reads
it, and notes in its header how far, so that the same spans are in no other incident.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from otel_flight.errors import NotARing
from otel_flight.ground.clock import ClockPair
from otel_flight.ground.deadline import OutOfTime
from otel_flight.ground.guard import Guard
from otel_flight.ground.native import posix
from otel_flight.ground.own_files import open_file
from otel_flight.incidents.frozen_window import FrozenWindow
from otel_flight.incidents.gil_yields import YieldGil, keep_gil
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.making.completion import counted
from otel_flight.incidents.making.sent_unfinished import SentUnfinished
from otel_flight.incidents.manifest import MOST_PROCESSES, Manifest, ProcessEntry
from otel_flight.incidents.ring_window import ring_incident
from otel_flight.names.sent_attributes import PROCESS_ID
from otel_flight.ring.facts import PIPELINE, SERVICE, SPOOL
from otel_flight.ring.layout import L_TAKEN, LANES, WORD, lane_word
from otel_flight.ring.reader import RingReader
from otel_flight.ring.ring import Ring
from otel_flight.ring.siblings import sibling_rings


@dataclass(frozen=True)
class Host:
    """Where the other processes of a service are, seen from one.

    Attributes:
        ring: of this process; theirs are beside it.
        service: its name.
        spool: where its incidents are: other processes have theirs there, too.
        is_wanted: says of a ring whether its window belongs to the incident.
    """

    ring: Path
    service: str
    spool: Path
    is_wanted: Callable[[RingReader], bool] = lambda reader: True

    @classmethod
    def of(cls, ring: Ring, spool: Path) -> Host:
        """Return where they are, seen from the process that writes a ring."""
        service = str(ring.image.header().facts.get(SERVICE, ""))
        return cls(ring.backing.path or Path(), service, spool)


class SiblingWindows:
    """The windows of one incident, made one after another when iterated over. Worker only.

    At most one of them is in memory: each is written before the next one is read.

    Args:
        manifest: of the incident.
        host: where they are.
        moment: when it opened.
        until_monotonic_ns: when it closed; what began later is left out, as far as a segment goes.
        window_seconds: how far back it reaches.
        guard: notes one that could not be read; the others are there.
        sent: knows which spans were delivered before they ended.
        yield_gil: called now and then, so that this process goes on.

    Attributes:
        unfinished: the ids of the spans in them that had not ended.
    """

    def __init__(
        self,
        manifest: Manifest,
        *,
        host: Host,
        moment: ClockPair,
        until_monotonic_ns: int,
        window_seconds: float,
        guard: Guard,
        sent: SentUnfinished,
        yield_gil: YieldGil = keep_gil,
    ) -> None:
        self._host = host
        self._moment = moment
        self._until_ns = until_monotonic_ns
        self._window_seconds = window_seconds
        self._guard = guard
        self._yield_gil = yield_gil
        self._sent_before = sent.all()
        self.unfinished: list[int] = []
        self._taken: list[tuple[Path, bytes]] = []
        self._manifest = msgspec.structs.replace(manifest, processes=self._entries(manifest))

    @property
    def manifest(self) -> Manifest:
        """The incident's manifest, in which the processes are."""
        return self._manifest

    def __iter__(self) -> Iterator[Incident]:
        for entry in self._manifest.processes:
            found = None
            path = self._host.ring.with_name(entry.ring)
            try:
                with RingReader(path) as reader:
                    found = self._window(reader, entry)
            except NotARing:  # it is gone
                continue
            except OutOfTime:  # this process ends
                return
            except Exception as error:  # noqa: BLE001  (whatever is wrong with this one)
                self._guard.note("window of another process", error)
            if found is not None:
                yield found

    def give_back(self) -> None:
        """Let other incidents have the windows: this one could not be kept."""
        for path, before in self._taken:
            _write_marks(path, before)
        self._taken.clear()

    def _entries(self, manifest: Manifest) -> list[ProcessEntry]:
        fired = {cause.attributes.get(PROCESS_ID) for cause in manifest.causes}
        spool = str(self._host.spool)
        found: list[tuple[bool, int, str]] = []
        for reader in sibling_rings(self._host.ring, self._host.service):
            header = reader.image.header()
            if header.facts.get(SPOOL) == spool and self._host.is_wanted(reader):
                found.append((header.pid not in fired, header.pid, reader.path.name))
        return [
            ProcessEntry(folder=f"processes/{number}/", pid=pid, ring=name)
            for number, (_, pid, name) in enumerate(sorted(found)[:MOST_PROCESSES], 1)
        ]

    def _window(self, reader: RingReader, entry: ProcessEntry) -> Incident:
        header = reader.image.header()
        before = _marks([lane.taken_to_record for lane in header.lanes])
        frozen = FrozenWindow(
            reader.image,
            self._moment,
            self._window_seconds,
            self._yield_gil,
            until_monotonic_ns=self._until_ns,
        )
        whole = self._manifest
        incident = ring_incident(
            whole.incident_id, header, frozen, whole.closed_ns, yield_gil=self._yield_gil
        )
        self.unfinished += [each.record.span_id for each in incident.window.unfinished()]
        ends = frozen.end_records()
        after = _marks([max(ends.get(each.lane, 0), each.taken_to_record) for each in header.lanes])
        if reader.is_named(reader.path) and _write_marks(reader.path, after):
            self._taken.append((reader.path, before))
        sent_before = self._sent_before | incident.manifest.unfinished_before_ids
        manifest = msgspec.structs.replace(
            incident.manifest,
            causes=[each for each in whole.causes if each.attributes.get(PROCESS_ID) == entry.pid],
            pipeline_endpoint=str(header.facts.get(PIPELINE, "")),
            part_of=whole.reason,
        )
        found = counted(incident.with_manifest(manifest), sent_before, self._yield_gil)
        manifest = msgspec.structs.replace(found.manifest, is_unexamined=True)
        return replace(found, manifest=manifest, folder=entry.folder)


def _marks(records: Sequence[int]) -> bytes:
    return b"".join(record.to_bytes(WORD, "little") for record in records)


def _write_marks(path: Path, marks: bytes) -> bool:
    """Write of each lane up to which record it was taken; return whether that could be done.

    A word each, which nobody reads in halves.
    """
    try:
        descriptor = open_file(path, os.O_WRONLY)
        try:
            for lane in LANES:
                mark = marks[lane * WORD : (lane + 1) * WORD]
                posix.pwrite(descriptor, mark, lane_word(lane, L_TAKEN) * WORD)
        finally:
            posix.close(descriptor)
    except OSError:
        return False
    return True
