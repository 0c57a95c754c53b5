"""Which span a task or a piece of work belongs to: the one that is current in its context."""

from __future__ import annotations

from contextvars import Context, ContextVar

from opentelemetry.trace import get_current_span

from otel_flight.interpreter.sdk_internals import CONTEXT_VARIABLE


def ids_in(context: Context | None) -> tuple[int, int]:
    """Return trace id and span id of the span that is current in a context, zeros without one."""
    if context is None or not isinstance(CONTEXT_VARIABLE, ContextVar):
        return 0, 0
    found = context.get(CONTEXT_VARIABLE)
    if found is None:
        return 0, 0
    ids = get_current_span(found).get_span_context()
    return (ids.trace_id, ids.span_id) if ids.is_valid else (0, 0)
