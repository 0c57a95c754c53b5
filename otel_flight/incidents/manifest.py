"""What an incident says of itself: the first member of a `.flight` file, as JSON.

Fields are only ever added, each with a default: an older file is read by a newer version, and the
other way round.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

from otel_flight.records.ids import id_of
from otel_flight.triggers.gate.firing import titled

MANIFEST_VERSION: Final = 1

SNAPSHOT: Final = "snapshot"
"""An incident that nothing fired for has this reason."""
MOST_PROCESSES: Final = 31
"""An incident has the windows of at most this many other processes; those that fired come first."""

# A file may have been changed on its way: what a reader counts on is checked when it is decoded.
_MOST: Final = (1 << 63) - 1
Moment = Annotated[int, msgspec.Meta(ge=-_MOST, le=_MOST)]
"""A time, in nanoseconds, is between the years 1677 and 2262 where it counts from the epoch."""
Count = Annotated[int, msgspec.Meta(ge=0, le=_MOST)]
"""A number of things is not negative, and has 63 bits."""
HexId = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]*\Z", max_length=32)]
"""A trace or span id is hexadecimal digits; empty for none."""
Amount = Annotated[float, msgspec.Meta(ge=-1e12, le=1e12)]
"""An amount, of seconds say, is finite."""


class Cause(msgspec.Struct, kw_only=True, frozen=True):
    """A firing that opened the incident or joined it."""

    trigger: str
    """The name of the trigger, such as `error_span`, `slow_root` or `manual`."""
    reason: str
    """What went wrong, in a few words of low cardinality, such as `slow local root`."""
    subject: str = ""
    """The name of the span it happened to, the local root as far as that is known; or empty."""
    origin: str = ""
    """The name of the span below that one in which it happened; empty when it was that one."""
    time_ns: Moment = 0
    """When it fired, in nanoseconds since the epoch."""
    trace_id: HexId = ""
    """The trace id, 32 hexadecimal digits; empty when the firing belongs to no span."""
    span_id: HexId = ""
    """The span id, 16 hexadecimal digits; empty when the firing belongs to no span."""
    attributes: dict[str, Any] = {}
    """What else the trigger, or the caller of `trigger`, says about it."""
    repeats: Count = 0
    """How often the same cause fired again while the incident was open."""

    @property
    def trace(self) -> int:
        """The trace id as a number; 0 when the firing belongs to no span."""
        return id_of(self.trace_id)

    @property
    def span(self) -> int:
        """The span id as a number; 0 when the firing belongs to no span."""
        return id_of(self.span_id)

    @property
    def title(self) -> str:
        """`<reason> <subject>`, and in which span below it, of low cardinality."""
        return titled(self.reason, self.subject, self.origin)


class Refused(msgspec.Struct, kw_only=True, frozen=True):
    """Firings that made no incident and joined none."""

    firings: Count = 0
    """How many there were."""
    causes: dict[str, Count] = {}
    """How many of each cause, by what an incident would be called; of 32 causes at most."""


class Coverage(msgspec.Struct, kw_only=True, frozen=True):
    """Which time was asked for and which is there. Moments are nanoseconds since the epoch."""

    requested_seconds: Amount = 0.0
    """The setting `window_seconds`."""
    requested_start_ns: Moment = 0
    """When the window should begin."""
    start_ns: Moment = 0
    """When the oldest record of the window was written; 0 when the window is empty."""
    end_ns: Moment = 0
    """When the window was closed."""
    is_complete: bool = False
    """Whether the window reaches back as far as requested, or to the recorder's start."""


class SegmentEntry(msgspec.Struct, kw_only=True, frozen=True):
    """One segment in the file: where it is and what the ring's header said of it."""

    file: str
    lane: Count
    sequence: Count
    opened_ns: Moment
    opened_monotonic_ns: Moment
    sealed_ns: Moment
    first_record: Count
    records: Count
    definitions: Count
    outdated: Count = 0
    """How many records at its beginning are older than the requested window."""


class Losses(msgspec.Struct, kw_only=True, frozen=True):
    """What is missing from the window, and why. All counts are records unless named otherwise."""

    evicted: Count = 0
    """How many were overwritten since the process started; 0 when the window is complete."""
    overtaken: Count = 0
    """How many were overwritten while the window was being copied, or during the tail."""
    dropped: Count = 0
    """How many never reached the ring since the process started, as the overflow was full."""
    undecoded: Count = 0
    """How many are in the window, but cannot be read."""
    cut: Count = 0
    """How many had strings cut at the record limit, since the process started."""
    converted: Count = 0
    """How many values were kept as text since the process started, as msgpack cannot hold them."""
    open_spans_evicted: Count = 0
    """How many open spans were given up since the process started, as too many were open."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all was lost."""
        return not any(msgspec.structs.asdict(self).values())


class Finding(msgspec.Struct, kw_only=True, frozen=True):
    """One thing a rule saw in the incident."""

    rule: str
    """The name of the rule, such as `error_origin` or `slow_child`."""
    summary: str
    """One sentence that names the culprit."""
    explained_share: Amount = 0.0
    """The part of the trigger's time that this explains, 0 to 1; 0 when time is not the matter."""
    evidence: dict[str, Any] = {}
    """What shows it, as attributes, such as span ids, durations in nanoseconds and counts."""
    about: HexId = ""
    """The trace of the cause that it is about, where that is not the first one."""


class Explanation(msgspec.Struct, kw_only=True, frozen=True):
    """A span that the application did not make: what its trigger's request met, or was doing."""

    kind: str
    """A `pause` when the request was stopped, `inferred` when stack samples saw a function."""
    name: str
    """A name of low cardinality, such as `event loop blocked`, or a function's qualified name."""
    trace_id: HexId
    """The trace it belongs to, 32 hexadecimal digits."""
    parent_span_id: HexId
    """The span it interrupted, or another explanation's `id`; 16 hexadecimal digits."""
    id: HexId = ""
    """Its own span id, 16 hexadecimal digits; may be empty where nothing is below it."""
    start_ns: Moment = 0
    """When it began, in nanoseconds since the epoch."""
    end_ns: Moment = 0
    """When it ended, in nanoseconds since the epoch."""
    attributes: dict[str, Any] = {}
    """What is known of it, such as source code, counts, and who was to blame."""
    link_trace_id: HexId = ""
    """The trace of another request that caused it; empty when none did, or none is known."""
    link_span_id: HexId = ""
    """The span of that request."""


class ProcessEntry(msgspec.Struct, kw_only=True, frozen=True):
    """Another process of the service whose window is in the incident."""

    folder: str
    """Where in the file its manifest and its records are, such as `processes/1/`."""
    pid: Count
    """Its process id."""
    ring: str = ""
    """The name of the ring that it wrote."""


class Manifest(msgspec.Struct, kw_only=True, frozen=True):
    """Everything about an incident but its records."""

    format_version: int = MANIFEST_VERSION
    """The version of the file's format."""
    incident_id: str
    """The incident's id, which begins with the time in UTC, so that ids sort by it."""
    service_name: str = ""
    """The `service.name` of the resource."""
    causes: list[Cause] = []
    """What fired, the worst first, else in that order; a snapshot has none."""
    refused: Refused = Refused()
    """What the gate refused since the incident of the same process before this one."""
    opened_ns: Moment = 0
    """When the trigger fired; of a snapshot, when it was asked for."""
    closed_ns: Moment = 0
    """When the tail was over, in nanoseconds since the epoch."""
    coverage: Coverage = Coverage()
    """Which time the window covers."""
    process: dict[str, Any] = {}
    """Which process it was, by pid, host, boot id, versions, and its clocks at the start."""
    processes: Annotated[list[ProcessEntry], msgspec.Meta(max_length=MOST_PROCESSES)] = []
    """The other processes of the service whose windows are in the incident, unless they were gone
    before those were read."""
    part_of: str = ""
    """Of the manifest of such a window, the reason of the incident; else empty."""
    resource: dict[str, Any] = {}
    """The attributes of the resource."""
    segments: list[SegmentEntry] = []
    open_spans_file: str = ""
    open_spans_records: Count = 0
    """Records in that file, definitions included."""
    open_spans: Count = 0
    """How many spans had not ended when the incident closed."""
    spans: Count = 0
    """How many spans in the window have ended."""
    record_counts: dict[str, Count] = {}
    """How many records of which kind the window has."""
    window_bytes: Count = 0
    """The size of all records together."""
    losses: Losses = Losses()
    """What is missing from the window, and why."""
    exported_to: dict[str, Count] = {}
    """Of each lane, by its number, the first record that is in no earlier incident."""
    previous_incident_id: str = ""
    """The incident of the same process before this one; empty when there was none."""
    pipeline_endpoint: str = ""
    """Where another span processor has sent all sampled spans already; empty: that is not sure."""
    unfinished_before: list[HexId] = []
    """Span ids (16 hexadecimal digits) an earlier incident delivered as unfinished."""
    is_unexamined: bool = False
    """Whether the process ended before the records were examined: counts and findings are missing,
    and what shows or sends the incident works them out."""
    findings: list[Finding] = []
    """What the rules found, the best explanation first."""
    explanations: list[Explanation] = []
    """What goes into the trigger's own trace, by start, parents before their children."""

    @property
    def trigger(self) -> Cause | None:
        """The cause that the incident is about; None for a snapshot."""
        return self.causes[0] if self.causes else None

    @property
    def reason(self) -> str:
        """What went wrong, of low cardinality; a snapshot has the reason `snapshot`."""
        return self.part_of or (self.causes[0].reason if self.causes else SNAPSHOT)

    @property
    def fired_ns(self) -> int:
        """When the trigger fired; of a snapshot, or a trigger that does not say, when it opened."""
        return (self.causes[0].time_ns if self.causes else 0) or self.opened_ns

    @property
    def unfinished_before_ids(self) -> frozenset[int]:
        """The span ids in `unfinished_before` as numbers."""
        return frozenset(map(id_of, self.unfinished_before))

    @property
    def title(self) -> str:
        """What happened, in a few words of low cardinality."""
        return self.causes[0].title if self.causes else SNAPSHOT
