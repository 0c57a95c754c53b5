"""The kinds of record and their fields: the one place that says what the bytes mean.

A record is a msgpack array of its kind and its fields, in the order given here; `layout` says where
each stands. A new field is only ever added at the end and with a default, so that an older reader
still understands a newer ring, and the other way round.

Garbage collection does not track these objects (they cannot form cycles), and empty sequences are
tuples, which are shared: decoding a full window starts no collection in the host.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

from otel_flight.records.incident_records import IncidentRecord

Nanoseconds = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
"""A moment since the epoch, in nanoseconds. A span's are the application's, and may be anything
where it was recorded: the decoder makes them this."""
Id = Annotated[int, msgspec.Meta(ge=0)]
"""A span id, or half of a trace id, has 64 bits, as no integer of msgpack has more."""

SPAN: Final = 1
SPAN_START: Final = 2
OPEN_SPAN: Final = 3
RESOURCE: Final = 4
SCOPE: Final = 5
RUNTIME: Final = 6
STACK: Final = 7

FLAG_SAMPLED: Final = 0x01
"""This bit of a record's flags says that the span is sampled; the lower eight are W3C trace
flags."""
FLAG_PARENT_IS_REMOTE: Final = 0x100
"""This bit of a record's flags says that the span's parent is in another process."""

EXTRA_TRACE_STATE: Final = "trace_state"
"""This key of `extras` holds the W3C trace state, as its header has it."""
EXTRA_DROPPED_ATTRIBUTES: Final = "dropped_attributes"
"""This key of `extras` holds how many attributes the SDK's limits and the record's left out."""
EXTRA_DROPPED_EVENTS: Final = "dropped_events"
"""This key of `extras` holds how many events the SDK's limits and the record's left out."""
EXTRA_DROPPED_LINKS: Final = "dropped_links"
"""This key of `extras` holds how many links the SDK's limits and the record's left out."""
EXTRA_CONVERTED: Final = "converted"
"""This key of `extras` holds how many values msgpack could not hold, which became text, and how
many names and times were of a wrong type, which were converted."""
EXTRA_CUT_BYTES: Final = "cut_bytes"
"""This key of `extras` holds how many bytes the record limit took from the record's strings, lists
and maps."""


class Event(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A span event."""

    name: str
    """The event's name, such as `exception`."""
    time_ns: Nanoseconds
    """When it happened, by the clock of the application."""
    attributes: dict[str, Any]
    """The event's attributes."""
    dropped_attributes: int = 0
    """How many attributes the SDK's limits left out."""


class Link(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A span link."""

    trace_id_high: Id
    """The upper 64 bits of the linked span's trace id."""
    trace_id_low: Id
    """The lower 64 bits of it."""
    span_id: Id
    """The linked span's id."""
    flags: int
    """As the flags of a span, of the linked span's context."""
    attributes: dict[str, Any]
    """The link's attributes."""
    dropped_attributes: int = 0
    """How many attributes the SDK's limits left out."""
    trace_state: str = ""
    """The W3C trace state of the linked span's context, as its header has it."""

    @property
    def trace_id(self) -> int:
        """The 128-bit trace id."""
        return self.trace_id_high << 64 | self.trace_id_low


class _SpanFields(msgspec.Struct, array_like=True, gc=False):
    trace_id_high: Id
    """The upper 64 bits of the trace id."""
    trace_id_low: Id
    """The lower 64 bits of the trace id."""
    span_id: Id
    """The span's id."""
    parent_span_id: Id
    """The parent's span id; 0: the span has no parent."""
    flags: int
    """The lower eight bits are the W3C trace flags of the span; bit 0x100: its parent is remote."""
    scope: int
    """The number of the span's `ScopeDefinition` in the same segment; 0: none."""
    name: str
    """The span's name."""
    kind: int
    """The value of `opentelemetry.trace.SpanKind`."""
    start_ns: Nanoseconds
    """When the span started, by the clock of the application."""

    @property
    def trace_id(self) -> int:
        """The 128-bit trace id."""
        return self.trace_id_high << 64 | self.trace_id_low

    @property
    def is_sampled(self) -> bool:
        """Whether the head sampler kept this span for the normal pipeline."""
        return bool(self.flags & FLAG_SAMPLED)

    @property
    def is_local_root(self) -> bool:
        """Whether this span has no parent in this process."""
        return not self.parent_span_id or bool(self.flags & FLAG_PARENT_IS_REMOTE)


class Span(_SpanFields, array_like=True, tag=SPAN, gc=False):
    """A span that ended."""

    end_ns: Nanoseconds
    """When the span ended, by the clock of the application."""
    attributes: dict[str, Any]
    """The span's attributes."""
    events: tuple[Event, ...]
    """The span's events, oldest first."""
    links: tuple[Link, ...]
    """The span's links, in their order."""
    status: int | tuple[int, str | None]
    """The value of `StatusCode`; with its description as a pair, when there is one."""
    extras: dict[str, Any] | None = None
    """What only few spans have: trace state, and counts of what is missing."""

    @property
    def status_code(self) -> int:
        """Value of `opentelemetry.trace.StatusCode`."""
        return self.status if isinstance(self.status, int) else self.status[0]

    @property
    def status_description(self) -> str | None:
        """The status description, None when there is none."""
        return None if isinstance(self.status, int) else self.status[1]


class SpanStart(_SpanFields, array_like=True, tag=SPAN_START, gc=False):
    """A local root that started, or a span that the ticker found open for more than a tick."""

    thread_id: int = 0
    """`threading.get_ident()` of the thread that started it; 0: not known."""
    attributes: dict[str, Any] | None = None
    """The attributes so far of a span that was found open; nil for a start."""


class OpenSpan(Span, array_like=True, tag=OPEN_SPAN, gc=False):
    """A span that was open when its incident closed, which is its `end_ns`; only in `open.seg`."""


class ResourceDefinition(msgspec.Struct, array_like=True, tag=RESOURCE, gc=False):
    """A resource, numbered; valid in the segment it stands in."""

    number: int
    """The number by which scopes of the same segment refer to it."""
    attributes: dict[str, Any]
    """The resource's attributes."""
    schema_url: str = ""
    """The resource's schema URL."""


class ScopeDefinition(msgspec.Struct, array_like=True, tag=SCOPE, gc=False):
    """An instrumentation scope with its resource, numbered; valid in the segment it stands in."""

    number: int
    """The number by which spans of the same segment refer to it."""
    resource: int
    """The number of the `ResourceDefinition` in the same segment."""
    name: str
    """The scope's name: that of the instrumenting library."""
    version: str | None = None
    """The library's version."""
    schema_url: str | None = None
    """The scope's schema URL."""
    attributes: dict[str, Any] | None = None
    """The scope's attributes."""


class Frame(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A frame of a recorded stack: which function it is in, and at which line."""

    function: str
    """The qualified name, as far as the interpreter knows it (from Python 3.11 on). For what has no
    code, such as a lock that is waited for, a text that names it."""
    file: str
    """The path of the source file; empty for what has no code."""
    line: int
    """The line number; 0: not known."""


class StackDefinition(msgspec.Struct, array_like=True, tag=STACK, gc=False):
    """A stack, numbered; valid in the segment it stands in."""

    number: int
    """The number by which runtime events of the same segment refer to it."""
    frames: tuple[Frame, ...]
    """The stack's frames, outermost first."""
    left_out: int = 0
    """How many frames between the outermost and the innermost ones were left out."""


class RuntimeEvent(msgspec.Struct, array_like=True, tag=RUNTIME, gc=False):
    """What one of the sources saw happen in the process; in the runtime lane."""

    source: str
    """The source's name: `gc`, `event_loop`, `logs`, …"""
    name: str
    """What happened, of low cardinality: `gc pause`, `event loop blocked`, …"""
    start_ns: Nanoseconds
    """When it began, by the wall clock."""
    end_ns: Nanoseconds
    """When it was over; the same as `start_ns` for what has no duration."""
    thread_id: int = 0
    """`threading.get_ident()` of the thread it happened on; 0: none, or not known."""
    trace_id_high: Id = 0
    """The upper 64 bits of the trace id of the span it belongs to."""
    trace_id_low: Id = 0
    """The lower 64 bits of it; both 0: none, or not known."""
    span_id: Id = 0
    """The span it belongs to; 0: none, or not known."""
    attributes: dict[str, Any] = {}
    """The event's attributes; each source has its own."""
    stack: int = 0
    """The number of a `StackDefinition` in the same segment; 0: none."""

    @property
    def trace_id(self) -> int:
        """The 128-bit trace id; 0: none."""
        return self.trace_id_high << 64 | self.trace_id_low

    @property
    def duration_ns(self) -> int:
        """How long it took; 0 for a moment."""
        return self.end_ns - self.start_ns


Record = (
    Span
    | SpanStart
    | OpenSpan
    | ResourceDefinition
    | ScopeDefinition
    | RuntimeEvent
    | StackDefinition
    | IncidentRecord
)
