"""The kinds of record and their fields: the one place that says what the bytes mean.

A record is a msgpack array whose first element is its kind. `span_encoder` builds plain tuples in
the order given here; these classes are what `decoder` gives back. New fields are only ever
added at the end, so that an older reader still understands a newer ring.

Garbage collection does not track them (they cannot form cycles), and empty sequences are tuples,
which are shared: decoding a full window makes no collection run in the host.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

SPAN: Final = 1
SPAN_START: Final = 2
OPEN_SPAN: Final = 3
RESOURCE: Final = 4
SCOPE: Final = 5
RUNTIME: Final = 6
STACK: Final = 7

FLAG_SAMPLED: Final = 0x01
"""The low eight bits of a record's flags are the W3C trace flags of the span's own context."""
FLAG_PARENT_IS_REMOTE: Final = 0x100

EXTRA_TRACE_STATE: Final = "trace_state"
EXTRA_DROPPED_ATTRIBUTES: Final = "dropped_attributes"
EXTRA_DROPPED_EVENTS: Final = "dropped_events"
EXTRA_DROPPED_LINKS: Final = "dropped_links"
EXTRA_CONVERTED: Final = "converted"
"""How many values msgpack could not hold and were converted to text, and how many names and times
were none and had to be put right."""
EXTRA_CUT_BYTES: Final = "cut_bytes"
"""How many bytes the record limit took from this record's strings, lists and maps."""


class Event(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A span event."""

    name: str
    time_ns: int
    attributes: dict[str, Any]
    dropped_attributes: int = 0


class Link(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A span link."""

    trace_id_high: int
    trace_id_low: int
    span_id: int
    flags: int
    attributes: dict[str, Any]
    dropped_attributes: int = 0
    trace_state: str = ""

    @property
    def trace_id(self) -> int:
        """The 128-bit trace id."""
        return self.trace_id_high << 64 | self.trace_id_low


class _SpanFields(msgspec.Struct, array_like=True, gc=False):
    trace_id_high: int
    trace_id_low: int
    span_id: int
    parent_span_id: int
    """0: no parent."""
    flags: int
    scope: int
    """Number of the scope record of the same segment; 0: none."""
    name: str
    kind: int
    """Value of `opentelemetry.trace.SpanKind`."""
    start_ns: int

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

    end_ns: int
    attributes: dict[str, Any]
    events: tuple[Event, ...]
    links: tuple[Link, ...]
    status: int | tuple[int, str | None]
    """Value of `StatusCode`, with the description when there is one."""
    extras: dict[str, Any] | None = None

    @property
    def status_code(self) -> int:
        """Value of `opentelemetry.trace.StatusCode`."""
        return self.status if isinstance(self.status, int) else self.status[0]

    @property
    def status_description(self) -> str | None:
        """The status description, None when there is none."""
        return None if isinstance(self.status, int) else self.status[1]


class SpanStart(_SpanFields, array_like=True, tag=SPAN_START, gc=False):
    """A local root that started, or a span that the ticker found open."""

    thread_id: int = 0
    """`threading.get_ident()` of the starting thread; 0: not known."""
    attributes: dict[str, Any] | None = None


class OpenSpan(Span, array_like=True, tag=OPEN_SPAN, gc=False):
    """A span still open when its incident closed; `end_ns` is that moment."""


class ResourceDefinition(msgspec.Struct, array_like=True, tag=RESOURCE, gc=False):
    """A resource, numbered; valid in the segment it stands in."""

    number: int
    attributes: dict[str, Any]
    schema_url: str = ""


class ScopeDefinition(msgspec.Struct, array_like=True, tag=SCOPE, gc=False):
    """An instrumentation scope with its resource, numbered; valid in the segment it stands in."""

    number: int
    resource: int
    name: str
    version: str | None = None
    schema_url: str | None = None
    attributes: dict[str, Any] | None = None


class Frame(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A place in the program that a stack or a chain of awaits goes through."""

    function: str
    """Qualified name, as far as the interpreter knows it (from Python 3.11 on)."""
    file: str
    line: int


class StackDefinition(msgspec.Struct, array_like=True, tag=STACK, gc=False):
    """A stack, numbered; valid in the segment it stands in."""

    number: int
    frames: tuple[Frame, ...]
    """Outermost first."""
    left_out: int = 0
    """Frames between the outermost and the innermost ones that had no room."""


class RuntimeEvent(msgspec.Struct, array_like=True, tag=RUNTIME, gc=False):
    """What one of the sources saw happen in the process."""

    source: str
    """The source's name: `gc`, `event_loop`, `logs`, …"""
    name: str
    """What happened, of low cardinality: `gc pause`, `event loop blocked`, …"""
    start_ns: int
    """Wall clock."""
    end_ns: int
    """The same as `start_ns` for what has no duration."""
    thread_id: int = 0
    """`threading.get_ident()` of the thread it happened on; 0: none, or not known."""
    trace_id_high: int = 0
    trace_id_low: int = 0
    span_id: int = 0
    """The span it belongs to; 0: none, or not known."""
    attributes: dict[str, Any] = {}
    stack: int = 0
    """Number of the stack definition of the same segment; 0: none."""

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
)
