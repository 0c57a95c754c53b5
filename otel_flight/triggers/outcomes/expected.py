"""Tells errors from what was to be expected, as the semantic conventions do.

A request for something that is not there is served by saying so. The span has the status ERROR all
the same where it is the client's, or where the framework says so by an exception.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from otel_flight.names import span_attributes as names
from otel_flight.triggers.outcomes.answers import Answer, answer_of
from otel_flight.triggers.outcomes.celery_tasks import is_thrown_by_task
from otel_flight.triggers.outcomes.recorded_exception import RecordedException, last_exception

_GIVEN_UP: Final = frozenset(
    {
        "CancelledError",  # of asyncio and concurrent.futures
        "Cancelled",  # of trio
        "GeneratorExit",
        "GreenletExit",
        "KeyboardInterrupt",
        "SystemExit",
        "ClientDisconnect",  # of Starlette
        "WebSocketDisconnect",
        "ClientConnectionResetError",  # of aiohttp
        "ConnectionClosedOK",  # of websockets
    }
)
"""Exceptions of these names say that work was cancelled, closed or left by its client."""
_ANSWERS_OF_DATABASES: Final = frozenset(
    {
        "NoScriptError",  # of Redis: the script is sent then
        "IntegrityError",  # of DB-API: somebody else was there first
        "UniqueViolation",
        "UniqueViolationError",
        "DuplicateKeyError",
    }
)
"""Exceptions of these names are answers of a database for which programs are written to wait."""
_INTEGRITY: Final = "23"
"""The SQLSTATE of a constraint that does not hold begins so."""
_NO_SCRIPT: Final = "NOSCRIPT"


def is_failure(span: ReadableSpan) -> bool:
    """Return whether a span that ended says that something went wrong, expected or not."""
    code = span.status.status_code
    return code is StatusCode.ERROR or (code is StatusCode.UNSET and _has_failed_silently(span))


def is_expected(span: ReadableSpan, exception: RecordedException) -> bool:
    """Return whether what a span of status ERROR says is an ordinary outcome of what it was for."""
    if exception.name in _GIVEN_UP:
        return True
    kind = span.kind
    if kind is SpanKind.CONSUMER:
        return is_thrown_by_task(span.attributes or {}, exception.kind)
    if kind is not SpanKind.CLIENT and kind is not SpanKind.SERVER:
        return False
    attributes = span.attributes
    if answer_of(attributes) is Answer.REFUSED:
        return True
    return kind is SpanKind.CLIENT and _is_answer_of_database(exception.name, attributes or {})


def _is_answer_of_database(exception: str, attributes: Mapping[str, Any]) -> bool:
    code = str(attributes.get(names.DATABASE_STATUS_CODE, ""))
    return exception in _ANSWERS_OF_DATABASES or code.startswith((_INTEGRITY, _NO_SCRIPT))


def _has_failed_silently(span: ReadableSpan) -> bool:
    """Return whether an exception left the handler of a gRPC server, which sets no status then."""
    if span.kind is not SpanKind.SERVER or not span.events:
        return False
    attributes = span.attributes or {}
    if not any(name in attributes for name in names.RPC_SYSTEMS):
        return False
    return answer_of(attributes) is not Answer.REFUSED and last_exception(span).has_left_application
