"""The hot path in C, where it was built and knows this SDK; see `_hot_path.c`.

A wheel for this platform has it, and an installation from source where a C compiler was found.
Nothing but speed depends on it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final, NamedTuple

from opentelemetry.trace import SpanKind
from opentelemetry.trace.span import DEFAULT_TRACE_STATE

from otel_flight.interpreter import sdk_internals
from otel_flight.recording.encoding.scope_table import ScopeTable
from otel_flight.ring import layout
from otel_flight.ring.lane_writer import LaneWriter

try:
    from otel_flight.recording.encoding._hot_path import SpanWriter  # type: ignore[import-not-found]
except ImportError:
    SpanWriter = None


def _is_available() -> bool:
    is_gil_enabled = getattr(sys, "_is_gil_enabled", lambda: True)()  # it relies on that lock
    kinds = [kind.value for kind in SpanKind]
    knows_sdk = sdk_internals.HAS_KNOWN_FIELDS and kinds == list(range(5))
    return SpanWriter is not None and is_gil_enabled and knows_sdk


IS_AVAILABLE: Final = _is_available()
"""Whether it was built for this interpreter, and fits this SDK."""

WriteSpan = Callable[..., bool]
"""Takes context, parent, resource, scope, name, kind and start time, and more; records the span, or
returns False without a trace."""


class SpanWriters(NamedTuple):
    """What records the ordinary spans of one lane.

    Attributes:
        write: takes end time and the dict of the attributes besides, of an ended span without
            events, links, status and dropped items.
        write_start: takes the thread besides, of a local root that started.
    """

    write: WriteSpan
    write_start: WriteSpan


def span_writers(lane: LaneWriter, scopes: ScopeTable, limit_bytes: int) -> SpanWriters:
    """Return what writes ordinary spans into a lane. Only where `IS_AVAILABLE`.

    Args:
        lane: written into while it is not locked and nothing waits.
        scopes: scopes that are not in it yet are left to the Python code.
        limit_bytes: of one record.
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
    )
    return SpanWriters(writer.write, writer.write_start)
