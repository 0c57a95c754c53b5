"""Which functions of the API and of the SDK are theirs, and not what somebody put around them.

Agents, profilers and tests replace some. Ours stand in for theirs alone, and call what replaced
them as it would have been called.
"""

from __future__ import annotations

from operator import itemgetter
from types import FunctionType, ModuleType
from typing import Any, Final

from opentelemetry import context, trace
from opentelemetry.sdk import trace as sdk_trace
from opentelemetry.trace import propagation
from opentelemetry.util import _decorator

_sdk: Final[Any] = sdk_trace
_METHODS: Final = (
    "__exit__",
    "__init__",
    "_readable_span",
    "add_event",
    "add_link",
    "end",
    "get_span_context",
    "is_recording",
    "record_exception",
    "set_attribute",
    "set_attributes",
    "set_status",
    "start",
    "update_name",
)
"""These methods of a span are not called on a light one, or only some of the time."""


def own(function: Any, *modules: ModuleType) -> Any:
    """Return a function if one of the modules defines it, perhaps as a context manager.

    Else an object that is nothing else, as nobody may stand in for that function.
    """
    inner = getattr(function, "__wrapped__", function)
    is_own = (
        type(function) is type(inner) is FunctionType
        and any(inner.__globals__ is vars(each) for each in modules)
        and any(function.__globals__ is vars(each) for each in (*modules, _decorator))
    )
    return function if is_own else object()


def as_replaced(tracer: Any, name: str) -> Any:
    """Return the SDK's method of a tracer as it is now, bound to it; also of a tracer of ours."""
    found = vars(_sdk.Tracer)[name]
    bind = getattr(type(found), "__get__", None)
    return found if bind is None else bind(found, tracer, type(tracer))


def has_own_methods() -> bool:
    """Return whether the SDK's spans are those, and have the methods, that it came with."""
    return (
        _sdk._Span is SPAN
        and _methods_in(_of_spans) == SPAN_METHODS
        and _has_none_of(_of_last_spans)
    )


SPAN: Final = _sdk._Span
_of_spans: Final = vars(_sdk.Span)
_of_last_spans: Final = vars(SPAN)  # it has no methods, but it is what is made
_has_none_of: Final = frozenset(_METHODS).isdisjoint
SPAN_METHOD_NAMES: Final = tuple(name for name in _METHODS if name in _of_spans)
_methods_in: Final = itemgetter(*SPAN_METHOD_NAMES)
SPAN_METHODS: Final = tuple(own(method, sdk_trace) for method in _methods_in(_of_spans))
START_SPAN: Final = own(_sdk.Tracer.start_span, sdk_trace)
START_AS_CURRENT_SPAN: Final = own(_sdk.Tracer.start_as_current_span, sdk_trace)
USE_SPAN: Final = own(trace.use_span, trace)
GET_CURRENT_SPAN: Final = own(trace.get_current_span, propagation, trace)
ATTACH: Final = own(context.attach, context)
DETACH: Final = own(context.detach, context)
