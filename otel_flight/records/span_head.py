"""The beginning of a span's record, for those who look at very many and decode few."""

from __future__ import annotations

from typing import Any

import msgspec


class SpanHead(msgspec.Struct, array_like=True, gc=False):
    """The first fields of any record, of whatever type they are, named as a `Span` has them."""

    record_kind: Any = 0
    """What kind of record it is; only a span's has the fields below."""
    trace_id_high: Any = 0
    trace_id_low: Any = 0
    span_id: Any = 0
    parent_span_id: Any = 0
    flags: Any = 0
    scope: Any = 0
    name: Any = ""
    kind: Any = 0
    start_ns: Any = 0
    end_ns: Any = 0
