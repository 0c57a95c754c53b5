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

from otel_flight.ground.signal_errors import pass_on
from otel_flight.interpreter.sdk.internals import CONTEXT_VARIABLE
from otel_flight.interpreter.sdk.own_functions import ATTACH, DETACH

_Function = TypeVar("_Function", bound=Callable[..., Any])

_RUNTIME_CONTEXT: Final = getattr(context_api, "_RUNTIME_CONTEXT", None)
_Context: Final[Any] = context_api.Context
_reset: Final[Any] = getattr(CONTEXT_VARIABLE, "reset", None)
START_ARGUMENTS: Final = (
    "name",
    "context",
    "kind",
    "attributes",
    "links",
    "start_time",
    "record_exception",
    "set_status_on_exception",
)
"""These are the arguments of `Tracer.start_span`, in its order."""
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


class _LeftScope:
    """A scope that needs no finalizer: one that was left.

    What a signal handler raises in a finalizer goes no further, such as the time limit of a job.
    """

    __slots__ = (
        "_arguments",
        "_ends",
        "_records",
        "_sets_status",
        "_span",
        "_state",
        "_token",
        "_tracer",
    )

    def __init__(  # noqa: PLR0917
        self,
        span: Any,
        end_on_exit: bool,
        record_exception: bool,
        set_status_on_exception: bool,
        tracer: Any = None,
        arguments: tuple[Any, ...] = (),
    ) -> None:
        self._span = span
        self._ends = end_on_exit
        self._records = record_exception
        self._sets_status = set_status_on_exception
        self._tracer = tracer
        self._arguments = arguments
        self._state = _NEVER_ENTERED

    def __enter__(self) -> Any:
        if self._state is not _NEVER_ENTERED:
            raise RuntimeError("the context manager of a span is used once")
        self._state = _ENTERED
        tracer = self._tracer
        if tracer is None:
            span = self._span
        elif "start_span" not in tracer.__dict__:
            span = self._span = tracer.start_span(*self._arguments)
        else:  # somebody put another one there, who may look for arguments by their names
            named = dict(zip(START_ARGUMENTS, self._arguments, strict=True))
            span = self._span = tracer.start_span(**named)
        if (
            context_api._RUNTIME_CONTEXT is _RUNTIME_CONTEXT
            and CONTEXT_VARIABLE is not None
            and context_api.attach is ATTACH
        ):
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
        self.__class__ = _LeftScope
        span = self._span
        is_detached = False
        try:
            try:
                if context_api.detach is DETACH:
                    _reset(self._token)
                    is_detached = True
            except Exception as failure:  # noqa: BLE001  (the API has its own words for it)
                pass_on(failure)
            if not is_detached:
                context_api.detach(self._token)
            if kind is not None:
                failed(span, kind() if error is None else error, self._records, self._sets_status)
        finally:
            if self._ends:
                span.end()
        return False

    def _again(self) -> SpanScope:
        """Return one like this, that was not used yet."""
        span = self._span if self._tracer is None else None
        return SpanScope(
            span, self._ends, self._records, self._sets_status, self._tracer, self._arguments
        )

    def __call__(self, function: _Function) -> _Function:
        """Return the function with this around each call; around a coroutine function's await."""
        return decorated(self, function)


class SpanScope(_LeftScope):
    """Makes a span the current one for a `with` block, or for each call of a decorated function.

    Used once, as the API's is. One that is dropped inside its block ends as if it had been left.

    Args:
        span: which one; None: a tracer starts it when the block begins.
        tracer: that one.
        arguments: those of `Tracer.start_span`, in its order.
    """

    __slots__ = ()

    def __del__(self) -> None:
        # What interrupts its beginning leaves it without a span, or with one that is not current.
        if getattr(self, "_state", None) is _ENTERED and self._span is not None:
            if hasattr(self, "_token"):
                self.__exit__(GeneratorExit, GeneratorExit(), None)
            elif self._ends:
                self._span.end()


def use_span(
    span: Any,
    end_on_exit: bool = False,
    record_exception: bool = True,
    set_status_on_exception: bool = True,
) -> SpanScope:
    """Stand in for `opentelemetry.trace.use_span`; see there."""
    return SpanScope(span, end_on_exit, record_exception, set_status_on_exception)
