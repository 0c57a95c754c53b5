"""Makes incidents of a dead process's ring: those it could not finish, or the one of its death."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import msgspec

from otel_flight.ground.clock import ClockPair
from otel_flight.incidents.frozen_window import FrozenWindow
from otel_flight.incidents.gil_yields import YieldGil, keep_gil
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.manifest import Cause
from otel_flight.incidents.recovery.circumstances import death_attributes
from otel_flight.incidents.recovery.last_stacks import LastStacks
from otel_flight.incidents.ring_window import ring_incident
from otel_flight.incidents.window import Window
from otel_flight.names import attributes as names
from otel_flight.names import trigger_names
from otel_flight.names.process_attributes import OOM_KILLS
from otel_flight.records.decoder import decode_records
from otel_flight.records.ids import span_text, trace_text
from otel_flight.records.incident_records import (
    CLOSED,
    DELIVERED,
    WRITTEN,
    IncidentOpened,
    IncidentState,
)
from otel_flight.records.records import RuntimeEvent
from otel_flight.ring.facts import SERVICE
from otel_flight.ring.layout import LANE_RUNTIME, LANE_SPANS, LANES
from otel_flight.ring.reader import RingHeader, RingImage
from otel_flight.ring.stacks_file import read_stacks, stacks_path

_LONGEST_END_NS: Final = 5_000_000_000
"""Whoever kills what does not end when it is told to waits for longer than this."""

_OVER: Final = frozenset({WRITTEN, DELIVERED})


@dataclass(frozen=True)
class DeadProcess:
    """What a ring says of its process.

    Attributes:
        header: the ring's.
        path: of the ring's file, before it was claimed.
        unfinished: its incidents that are in no spool, oldest first.
        last_id: its newest incident; empty when there is none.
        closed: those of its incidents whose tails were over.
        stacks: what it could still write when Python could not run any more.
        oom_kills: how many processes of its container the kernel had killed, as it last knew.
    """

    image: RingImage
    header: RingHeader
    path: Path
    unfinished: tuple[IncidentOpened, ...]
    last_id: str
    closed: frozenset[str]
    stacks: LastStacks
    oom_kills: int
    yield_gil: YieldGil = keep_gil

    @classmethod
    def of(cls, image: RingImage, path: Path, yield_gil: YieldGil = keep_gil) -> DeadProcess:
        """Read the ring of a dead process, and what is beside it.

        Args:
            image: the ring.
            path: its file.
            yield_gil: called now and then, so that the process which does this goes on.
        """
        opened: dict[str, IncidentOpened] = {}
        last_id = ""
        closed: set[str] = set()
        oom_kills = 0
        for segment in image.segments(LANE_RUNTIME):
            for record in decode_records(segment.payload, segment.records).records:
                if isinstance(record, IncidentOpened):
                    opened[record.incident_id] = record
                elif isinstance(record, IncidentState) and record.state in _OVER:
                    opened.pop(record.incident_id, None)
                elif isinstance(record, IncidentState) and record.state == CLOSED:
                    closed.add(record.incident_id)
                elif isinstance(record, RuntimeEvent):
                    oom_kills = record.attributes.get(OOM_KILLS, oom_kills)
                if isinstance(record, IncidentOpened | IncidentState):
                    last_id = max(last_id, record.incident_id)
        return cls(
            image,
            image.header(),
            path,
            tuple(opened.values()),
            last_id,
            frozenset(closed),
            LastStacks.of(read_stacks(stacks_path(path))),
            oom_kills,
            yield_gil,
        )

    @property
    def service(self) -> str:
        """The name of its service, as far as it knew it."""
        return str(self.header.facts.get(SERVICE, ""))

    @property
    def died_ns(self) -> int:
        """When it was last seen alive, by the wall clock."""
        return max(self.header.heartbeat_wall_ns, self.stacks.seen_ns)

    @property
    def has_recorded(self) -> bool:
        """Whether it had made any span."""
        return any(each.records for each in self.image.segments(LANE_SPANS))

    def finished(
        self, opened: IncidentOpened, window_seconds: float, covered: Mapping[int, int]
    ) -> Incident:
        """Return an incident that was open, or not written, when the process died.

        Args:
            opened: what the ring says of it.
            window_seconds: how far back it reaches; it goes on to the end of the ring.
            covered: by lane, the first record that is in no incident finished before.
        """
        moment = ClockPair(opened.opened_ns, opened.opened_monotonic_ns)
        if opened.incident_id not in self.closed:  # whatever was closed was closed before it
            covered = {
                lane.lane: max(lane.first_new_record, covered.get(lane.lane, 0))
                for lane in self.header.lanes
            }
        first = dict(zip(LANES, opened.first_records, strict=False))
        exported_to = {
            lane: max(number, covered.get(lane, 0))
            for lane, number in zip(LANES, opened.exported_to, strict=False)
        }
        incident = self._incident(
            opened.incident_id, moment, window_seconds, first, exported_to=exported_to
        )
        causes = [each for each in map(_cause_of, opened.causes) if each is not None]
        opened_ns = (causes[0].time_ns if causes else 0) or opened.opened_ns
        death = self._cause(incident.window)
        if opened.incident_id not in self.closed and not self.was_ended(death):
            causes.insert(0, death)  # it was open, and this is the worst of them
        manifest = msgspec.structs.replace(
            incident.manifest,
            causes=causes,
            opened_ns=opened_ns,
            previous_incident_id=opened.previous_incident_id,
        )
        return incident.with_manifest(manifest)

    def death(self, window_seconds: float) -> Incident:
        """Return the incident of its death, whose id is the same whoever makes it."""
        header = self.header
        moment = ClockPair(header.heartbeat_wall_ns, header.heartbeat_monotonic_ns)
        digest = blake2b(self.path.stem.encode(), digest_size=3).hexdigest()
        incident = self._incident(_id_at(moment.wall_ns, digest), moment, window_seconds, {})
        manifest = msgspec.structs.replace(
            incident.manifest,
            causes=[self._cause(incident.window)],
            previous_incident_id=self.last_id,
        )
        return incident.with_manifest(manifest)

    def was_ended(self, death: Cause) -> bool:
        """Return whether the process was told to end, and did: that is no accident."""
        status = death.attributes.get(names.EXIT_STATUS)
        if status == -signal.SIGTERM:
            return True
        is_killed = OOM_KILLS in death.attributes or (status is not None and status < 0)
        if is_killed or not self.header.terminated_ns:
            return False
        was_idle = not death.subject
        return was_idle or self.died_ns - self.header.terminated_ns < _LONGEST_END_NS

    def _cause(self, window: Window) -> Cause:
        oldest = min(
            (each.record for each in window.unfinished() if each.record.is_local_root),
            key=lambda record: record.start_ns,
            default=None,
        )
        cause = Cause(
            trigger=trigger_names.PROCESS_DIED,
            reason="process died",
            time_ns=self.died_ns,
            attributes={
                **death_attributes(self.header, self.oom_kills, self.died_ns),
                **self.stacks.attributes(),
            },
        )
        if oldest is None:
            return cause
        return msgspec.structs.replace(
            cause,
            subject=oldest.name,
            trace_id=trace_text(oldest.trace_id),
            span_id=span_text(oldest.span_id),
        )

    def _incident(
        self,
        incident_id: str,
        moment: ClockPair,
        window_seconds: float,
        first_records: Mapping[int, int],
        *,
        exported_to: Mapping[int, int] | None = None,
    ) -> Incident:
        frozen = FrozenWindow(
            self.image, moment, window_seconds, self.yield_gil, first_records=first_records
        )
        closed_ns = max(self.died_ns, moment.wall_ns)
        return ring_incident(
            incident_id,
            self.header,
            frozen,
            closed_ns,
            yield_gil=self.yield_gil,
            last=self.stacks.segment,
            exported_to=exported_to,
        )


def _cause_of(fields: Mapping[str, Any]) -> Cause | None:
    try:
        return msgspec.convert(dict(fields), Cause)
    except (msgspec.MsgspecError, ValueError, TypeError):
        return None


def _id_at(wall_ns: int, digest: str) -> str:
    """Return an incident's id, as `completion.new_incident_id` makes them."""
    moment = datetime.fromtimestamp(wall_ns // 1_000_000_000, tz=timezone.utc)
    return f"{moment:%Y%m%d-%H%M%S}-{wall_ns // 1_000_000 % 1000:03d}{digest}"
