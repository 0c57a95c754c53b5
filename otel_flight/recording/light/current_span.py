"""Make a span the current one, without the generators that the API and the SDK use for it.

What happens is what theirs does, also around spans of the SDK and for decorated functions; an
exception that passes through has two or four frames fewer in its traceback.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import ContextDecorator
from types import TracebackType
from typing import Any, Final, Literal, TypeVar

from opentelemetry import context as context_api
from opentelemetry.trace import Span, Status, StatusCode
from opentelemetry.trace.propagation import _SPAN_KEY

from otel_flight.interpreter.sdk.internals import CONTEXT_VARIABLE

_Function = TypeVar("_Function", bound=Callable[..., Any])

_RUNTIME_CONTEXT: Final = getattr(context_api, "_RUNTIME_CONTEXT", None)
_Context: Final[Any] = context_api.Context
_NEVER_ENTERED, _ENTERED, _LEFT = range(3)


def failed(span: Any, error: BaseException, is_recorded: bool, sets_status: bool) -> None:
    """Tell a span that an exception passed through its block."""
    # Not of what is no Exception: a generator that is closed, say, did not fail.
    if isinstance(error, Exception) and isinstance(span, Span) and span.is_recording():
        if is_recorded:
            span.record_exception(error)
        if sets_status:
            span.set_status(
                Status(StatusCode.ERROR, description=f"{type(error).__name__}: {error}")
            )


class _Again(ContextDecorator):
    """Decorates as the interpreter does: from 3.15 on, around the whole life of a generator."""

    def __init__(self, scope: Any) -> None:
        self._scope = scope

    def _recreate_cm(self) -> Any:
        return self._scope._again()


def decorated(scope: Any, function: _Function) -> _Function:
    """Return a function that enters a scope like the given one around each call."""
    if not inspect.iscoroutinefunction(function):
        return _Again(scope)(function)

    @functools.wraps(function)
    async def around(*args: Any, **named: Any) -> Any:
        with scope._again():
            return await function(*args, **named)

    return around  # type: ignore[return-value]


class SpanScope:
    """Makes a span the current one for a `with` block, or for each call of a decorated function.

    Used once, as the API's is. One that is dropped inside its block ends as if it had been left.
    """

    __slots__ = ("_ends", "_records", "_sets_status", "_span", "_state", "_token")

    def __init__(
        self, span: Any, end_on_exit: bool, record_exception: bool, set_status_on_exception: bool
    ) -> None:
        self._span = span
        self._ends = end_on_exit
        self._records = record_exception
        self._sets_status = set_status_on_exception
        self._state = _NEVER_ENTERED

    def __enter__(self) -> Any:
        if self._state is not _NEVER_ENTERED:
            raise RuntimeError("the context manager of a span is used once")
        self._state = _ENTERED
        span = self._span = self._begin()
        if context_api._RUNTIME_CONTEXT is _RUNTIME_CONTEXT and CONTEXT_VARIABLE is not None:
            context = _Context(CONTEXT_VARIABLE.get())
            dict.__setitem__(context, _SPAN_KEY, span)
            self._token = CONTEXT_VARIABLE.set(context)
        else:
            self._token = context_api.attach(context_api.set_value(_SPAN_KEY, span))
        return span

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> Literal[False]:
        if self._state is not _ENTERED:
            return False
        self._state = _LEFT
        span = self._span
        try:
            context_api.detach(self._token)
            if kind is not None:
                failed(span, kind() if error is None else error, self._records, self._sets_status)
        finally:
            if self._ends:
                span.end()
        return False

    def _begin(self) -> Any:
        return self._span

    def _again(self) -> SpanScope:
        """Return one like this, that was not used yet."""
        return SpanScope(self._span, self._ends, self._records, self._sets_status)

    def __call__(self, function: _Function) -> _Function:
        """Return the function with this around each call; around a coroutine function's await."""
        return decorated(self, function)

    def __del__(self) -> None:
        if self._state is _ENTERED:
            self.__exit__(GeneratorExit, GeneratorExit(), None)


class StartedSpan(SpanScope):
    """Starts a span when the `with` block begins, and makes it the current one."""

    __slots__ = ("_arguments", "_tracer")

    def __init__(self, tracer: Any, arguments: tuple[Any, ...], end_on_exit: bool) -> None:
        # The arguments of `Tracer.start_span`, in its order.
        super().__init__(None, end_on_exit, arguments[-2], arguments[-1])
        self._tracer = tracer
        self._arguments = arguments

    def _begin(self) -> Any:
        name, context, kind, attributes, links, start_time, records, sets_status = self._arguments
        return self._tracer.start_span(
            name=name,
            context=context,
            kind=kind,
            attributes=attributes,
            links=links,
            start_time=start_time,
            record_exception=records,
            set_status_on_exception=sets_status,
        )

    def _again(self) -> SpanScope:
        return StartedSpan(self._tracer, self._arguments, self._ends)


def use_span(
    span: Any,
    end_on_exit: bool = False,
    record_exception: bool = True,
    set_status_on_exception: bool = True,
) -> SpanScope:
    """Stand in for `opentelemetry.trace.use_span`; see there."""
    return SpanScope(span, end_on_exit, record_exception, set_status_on_exception)
