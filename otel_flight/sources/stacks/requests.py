"""Which span a task or a piece of work belongs to: the one that is current in its context."""

from __future__ import annotations

import asyncio
import gc
from contextvars import Context, ContextVar
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry.trace import get_current_span

# None where the application has chosen another way to keep OpenTelemetry's context.
_current: Final[Any] = getattr(
    getattr(otel_context, "_RUNTIME_CONTEXT", None), "_current_context", None
)
_current_tasks: Final[Any] = getattr(asyncio.tasks, "_current_tasks", None)


def ids_in(context: Context | None) -> tuple[int, int]:
    """Return trace id and span id of the span that is current in a context, zeros without one."""
    if context is None or not isinstance(_current, ContextVar):
        return 0, 0
    found = context.get(_current)
    if found is None:
        return 0, 0
    ids = get_current_span(found).get_span_context()
    return (ids.trace_id, ids.span_id) if ids.is_valid else (0, 0)


def context_of(task: asyncio.Task[Any]) -> Context | None:
    """Return the context that a task runs in."""
    get_context = getattr(task, "get_context", None)  # from Python 3.12 on
    if get_context is not None:
        context: Context = get_context()
        return context
    # The task refers to its context first; contexts of its callbacks may follow.
    return next((each for each in gc.get_referents(task) if type(each) is Context), None)


def running_task(loop: asyncio.AbstractEventLoop) -> asyncio.Task[Any] | None:
    """Return the task that a loop is running just now, None when it runs none or cannot tell."""
    if type(_current_tasks) is not dict:
        return None
    task: asyncio.Task[Any] | None = _current_tasks.get(loop)
    return task
