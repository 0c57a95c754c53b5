"""What an incident says of itself: the first member of a `.flight` file, as JSON.

Fields are only ever added, each with a default: an older file is read by a newer version, and the
other way round.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from otel_flight.records.ids import id_of

MANIFEST_VERSION: Final = 1


class Cause(msgspec.Struct, kw_only=True, frozen=True):
    """A firing that opened the incident or joined it."""

    trigger: str
    """Name of the trigger: `error_span`, `slow_root`, `slow_open_root`, `manual`, …"""
    reason: str
    """What went wrong in a few words, of low cardinality: `error span`, `slow local root`."""
    subject: str = ""
    """What it happened to: the name of a span, the local root as far as that is known, or empty."""
    origin: str = ""
    """The name of the span below that one in which it happened; empty: that one itself."""
    time_ns: int = 0
    trace_id: str = ""
    """32 hexadecimal digits; empty when the firing belongs to no span."""
    span_id: str = ""
    attributes: dict[str, Any] = {}
    repeats: int = 0
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
        where = f" (in {self.origin})" if self.origin else ""
        return f"{self.reason} {self.subject}".strip() + where


class Coverage(msgspec.Struct, kw_only=True, frozen=True):
    """Which time was asked for and which is there. Nanoseconds since the epoch."""

    requested_seconds: float = 0.0
    requested_start_ns: int = 0
    start_ns: int = 0
    """When the oldest record of the window was written; 0: the window is empty."""
    end_ns: int = 0
    is_complete: bool = False
    """Whether the window reaches back as far as requested, or to the recorder's start."""


class SegmentEntry(msgspec.Struct, kw_only=True, frozen=True):
    """One segment in the file: where it is and what the ring's header said of it."""

    file: str
    lane: int
    sequence: int
    opened_ns: int
    opened_monotonic_ns: int
    sealed_ns: int
    first_record: int
    records: int
    definitions: int
    oldest_end_ns: int = 0
    """Spans that ended before this moment are older than the requested window."""


class Losses(msgspec.Struct, kw_only=True, frozen=True):
    """What is missing from the window, and why. All counts are records unless named otherwise."""

    evicted: int = 0
    """Overwritten since the process started; 0 when the window reaches back as far as requested."""
    overtaken: int = 0
    """Overwritten while the window was being copied, or during the tail."""
    dropped: int = 0
    """Lost before they reached the ring, since the process started: the overflow was full."""
    undecoded: int = 0
    """In the window, but not readable."""
    cut: int = 0
    """Records with strings cut at the record limit, since the process started."""
    converted: int = 0
    """Values msgpack cannot hold, kept as text, since the process started."""
    open_spans_evicted: int = 0
    """Open spans given up because too many were open, since the process started."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all was lost."""
        return not any(msgspec.structs.asdict(self).values())


class Finding(msgspec.Struct, kw_only=True, frozen=True):
    """One thing a rule saw in the incident."""

    rule: str
    """Name of the rule: `error_origin`, `slow_child`, …"""
    summary: str
    """One sentence naming the culprit."""
    explained_share: float = 0.0
    """Part of the trigger's time this explains, 0 to 1; 0: not a matter of time."""
    evidence: dict[str, Any] = {}
    """Attributes that show it: span ids, durations in ns, counts."""


class Explanation(msgspec.Struct, kw_only=True, frozen=True):
    """A span that the application did not make: what its trigger's request met, or was doing."""

    kind: str
    """`pause`: it stood still; `inferred`: it was in this function, as stack samples show."""
    name: str
    """Of low cardinality: `event loop blocked`, `gc pause`, a function's qualified name."""
    trace_id: str
    parent_span_id: str
    """The span it interrupted, or another explanation's `id`."""
    id: str = ""
    """16 hexadecimal digits: its own span id. Not needed where nothing is below it."""
    start_ns: int = 0
    end_ns: int = 0
    attributes: dict[str, Any] = {}
    link_trace_id: str = ""
    """Of another request that caused it."""
    link_span_id: str = ""


class Manifest(msgspec.Struct, kw_only=True, frozen=True):
    """Everything about an incident but its records."""

    format_version: int = MANIFEST_VERSION
    incident_id: str
    service_name: str = ""
    causes: list[Cause] = []
    """In the order they fired; the first one opened the incident. Empty: a snapshot.

    A request that failed goes before a span in it that failed first and says less.
    """
    opened_ns: int = 0
    """When the trigger fired; for a snapshot, when it was asked for."""
    closed_ns: int = 0
    coverage: Coverage = Coverage()
    process: dict[str, Any] = {}
    """pid, host, boot id, Python and SDK versions, monotonic and wall clock at the start."""
    resource: dict[str, Any] = {}
    segments: list[SegmentEntry] = []
    open_spans_file: str = ""
    open_spans_records: int = 0
    """Records in that file, definitions included."""
    open_spans: int = 0
    spans: int = 0
    """Ended spans in the window."""
    record_counts: dict[str, int] = {}
    """Records in the window by kind."""
    window_bytes: int = 0
    losses: Losses = Losses()
    exported_to: dict[str, int] = {}
    """By lane number: records before this one are in an earlier incident of the same process."""
    previous_incident_id: str = ""
    is_pipeline_exporting: bool = False
    """Whether another processor exports sampled spans already."""
    unfinished_before: list[str] = []
    """Span ids (16 hexadecimal digits) an earlier incident delivered as unfinished."""
    findings: list[Finding] = []
    explanations: list[Explanation] = []
    """By start, parents before their children."""

    @property
    def trigger(self) -> Cause | None:
        """The cause that the incident is about; None for a snapshot."""
        return self.causes[0] if self.causes else None

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
        return self.causes[0].title if self.causes else "snapshot"
