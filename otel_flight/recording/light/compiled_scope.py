"""What makes a span the current one in C, where it was built; see `_current_span.c`.

It does what `current_span` does, and lets that do what is rare. Where it is not built, or the API
keeps its context in another way, everything is done there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.sdk.trace import Tracer
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation import _SPAN_KEY

from otel_flight.interpreter.sdk.internals import CONTEXT_VARIABLE
from otel_flight.interpreter.sdk.own_functions import ATTACH, DETACH
from otel_flight.interpreter.sdk.own_functions import (
    START_AS_CURRENT_SPAN as OWN_START_AS_CURRENT_SPAN,
)
from otel_flight.interpreter.sdk.own_functions import USE_SPAN as USE_SPAN_OF_API
from otel_flight.interpreter.threads import HAS_GIL
from otel_flight.recording.light.current_span import decorated, failed
from otel_flight.recording.light.current_span import use_span as use_span_in_python

try:
    from otel_flight.recording.light._current_span import (  # type: ignore[import-not-found]
        configure,
        start_as_current_span,
        use_span,
    )
except ImportError:
    configure = start_as_current_span = None
    use_span = use_span_in_python


def _is_available() -> bool:
    """Return whether it was built and knows this API, which it is told of."""
    if configure is None or not HAS_GIL or not isinstance(CONTEXT_VARIABLE, ContextVar):
        return False
    try:
        configure(
            context_variable=CONTEXT_VARIABLE,
            span_key=_SPAN_KEY,
            context_type=context_api.Context,
            api=vars(context_api),
            runtime_context=context_api._RUNTIME_CONTEXT,
            internal_kind=SpanKind.INTERNAL,
            failed=failed,
            decorated=decorated,
            attach=ATTACH,
            detach=DETACH,
            trace=vars(trace),
            use_spans=(use_span, use_span_in_python, USE_SPAN_OF_API),
            tracer_type=Tracer,
            start_as_current_span=OWN_START_AS_CURRENT_SPAN,
        )
    except TypeError:
        return False
    functools.update_wrapper(use_span, use_span_in_python)
    functools.update_wrapper(start_as_current_span, Tracer.start_as_current_span)
    return True


HAS_SCOPES: Final = _is_available()
"""It tells whether scopes in C can be used, in this interpreter and with this API."""
USE_SPAN: Final[Callable[..., Any]] = use_span if HAS_SCOPES else use_span_in_python
"""It is the fastest stand-in for `opentelemetry.trace.use_span`."""
USE_SPANS: Final = (USE_SPAN, use_span_in_python, USE_SPAN_OF_API)
"""These are the API's and its stand-ins: none is somebody else's."""
START_AS_CURRENT_SPAN: Final[Any] = start_as_current_span
"""It stands in for the method of a tracer, where scopes in C can be used."""
