"""What a span says of the answer that it gave or got, by the conventions of HTTP and RPC."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from otel_flight.names import span_attributes as names

_REFUSED_CODES: Final = {
    1: "CANCELLED",
    3: "INVALID_ARGUMENT",
    5: "NOT_FOUND",
    6: "ALREADY_EXISTS",
    7: "PERMISSION_DENIED",
    8: "RESOURCE_EXHAUSTED",
    9: "FAILED_PRECONDITION",
    10: "ABORTED",
    11: "OUT_OF_RANGE",
    16: "UNAUTHENTICATED",
}
"""These status codes of gRPC are no error of a server, as the semantic conventions have it. Other
systems write their names in lower case."""
_REFUSED_NAMES: Final = frozenset(_REFUSED_CODES.values())


class Answer(Enum):
    """What became of a request."""

    NONE = "none"
    """The span says nothing of an answer."""
    GIVEN = "given"
    """It was served."""
    REFUSED = "refused"
    """It could not be, for a reason of its own: 4xx, NOT_FOUND and the like."""
    FAILED = "failed"
    """It could not be, for a reason of the server's: 5xx, INTERNAL and the like."""


def answer_of(attributes: Mapping[str, Any] | None) -> Answer:
    """Return what became of the request that a span with these attributes served or made."""
    if not attributes:
        return Answer.NONE
    for name in names.HTTP_STATUS_CODES:
        if name in attributes:
            return _http_answer(attributes[name])
    for name in names.RPC_STATUS_CODES:
        if name in attributes:
            return _rpc_answer(attributes[name])
    return Answer.NONE


def _http_answer(status: object) -> Answer:
    code = _number(status)
    if code is None:
        return Answer.NONE
    if code >= 500:
        return Answer.FAILED
    return Answer.REFUSED if code >= 400 else Answer.GIVEN


def _rpc_answer(status: object) -> Answer:
    code = _number(status)
    name = str(status).upper()
    if code == 0 or name == "OK":
        return Answer.GIVEN
    return Answer.REFUSED if code in _REFUSED_CODES or name in _REFUSED_NAMES else Answer.FAILED


def _number(status: object) -> int | None:
    """Return a status as a number, for which some write its digits."""
    try:
        return int(status)  # type: ignore[call-overload, no-any-return]
    except (TypeError, ValueError, OverflowError):
        return None
