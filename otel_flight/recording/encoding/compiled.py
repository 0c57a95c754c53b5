"""The hot path in C, where it was built and knows this SDK; see `_hot_path.c`.

A wheel for this platform has it, and an installation from source where a C compiler was found.
Nothing but speed depends on it. It knows the layout of records by position: it is given the record
types, and where it knows them otherwise, spans are recorded by the Python code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from opentelemetry.trace import SpanKind
from opentelemetry.trace.span import DEFAULT_TRACE_STATE

from otel_flight.interpreter.sdk import internals as sdk_internals
from otel_flight.interpreter.threads import HAS_GIL
from otel_flight.recording.encoding.scope_table import ScopeEntry, ScopeTable
from otel_flight.recording.ordinary_spans import WriteSpan
from otel_flight.records.layout import kind_of
from otel_flight.records.records import FLAG_PARENT_IS_REMOTE, Span, SpanStart
from otel_flight.ring import layout
from otel_flight.ring.lane_writer import LaneWriter

try:
    from otel_flight.recording.encoding._hot_path import SpanWriter  # type: ignore[import-not-found]
except ImportError:
    SpanWriter = None


class SpanWriters(NamedTuple):
    """What records the ordinary spans of one lane.

    Attributes:
        write: takes end time and the dict of the attributes besides, of an ended span without
            events, links, status and dropped items.
        write_start: takes the thread besides, of a local root that started.
    """

    write: WriteSpan
    write_start: WriteSpan


def record_layout() -> dict[str, Any]:
    """Return what the hot path in C must know of records, and compares with what it was built for.

    Fields are given in their order, by name.
    """
    return {
        "span_number": kind_of(Span),
        "span_fields": Span.__struct_fields__,
        "start_number": kind_of(SpanStart),
        "start_fields": SpanStart.__struct_fields__,
        "entry_fields": ScopeEntry._fields,
        "remote_parent": FLAG_PARENT_IS_REMOTE,
    }


def span_writers(
    lane: LaneWriter, scopes: ScopeTable, limit_bytes: int, telltales: Any = None
) -> SpanWriters:
    """Return what writes ordinary spans into a lane. Only where `IS_AVAILABLE`.

    Args:
        lane: written into while it is not locked and nothing waits.
        scopes: scopes that are not in it yet are left to the Python code.
        limit_bytes: how long a record may be.
        telltales: spans that have one are left to the Python code, see `Redactor.compiled`.

    Raises:
        TypeError: it was built for another layout of records, or for another lane, lock or SDK.
    """
    writer = SpanWriter(
        lane=lane,
        scope_entries=scopes.entries,
        default_state=DEFAULT_TRACE_STATE,
        kinds=tuple(SpanKind),
        record_limit=limit_bytes,
        payload_bytes=layout.PAYLOAD_BYTES,
        length_mask=layout.COMMIT_LENGTH_MASK,
        one_record=layout.COMMIT_ONE_RECORD,
        telltales=telltales,
        **record_layout(),
    )
    return SpanWriters(writer.write, writer.write_start)


def is_available() -> bool:
    """Return whether the hot path was built, and can be used: it is tried on a lane of its own."""
    kinds: Sequence[int] = [kind.value for kind in SpanKind]
    knows_sdk = sdk_internals.HAS_KNOWN_FIELDS and kinds == list(range(len(kinds)))
    if SpanWriter is None or not HAS_GIL or not knows_sdk:
        return False
    scopes = ScopeTable()
    try:
        span_writers(LaneWriter(layout.LANE_SPANS, scopes), scopes, layout.MAX_RECORD_BYTES)
    except TypeError:
        return False
    return True


IS_AVAILABLE: Final = is_available()
"""It tells whether spans can be recorded by the hot path in C, in this interpreter and with this
SDK."""

SPAN_WRITER: Final[Any] = SpanWriter
"""It is the type whose method `write` is; None where it was not built."""
