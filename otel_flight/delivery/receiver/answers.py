"""What a receiver's answer means for the spans of the request, the same for both transports.

The official exporters say no more than success or failure. Whether to divide the request, to wait,
or to give up depends on what was answered, and so does whether a span may be there twice.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from otel_flight.delivery.receiver.endpoints import shown_endpoint
from otel_flight.ground.quoting import without_secrets

_LONGEST_REASON: Final = 300
MOST_BODY_BYTES: Final = 1024 * 1024
"""The body of an answer may have this many bytes, decompressed; of a longer one no more is read."""
_LONGEST_MESSAGE: Final = 64 * 1024
"""A body of more bytes is not read as a message."""
_LONGEST_WAIT_SECONDS: Final = 600.0
"""A receiver may ask to be left alone for at most this many seconds; a longer wish is cut."""

_MESSAGES: Final[Mapping[str, str]] = {
    "ExportTraceServiceResponse": "opentelemetry.proto.collector.trace.v1.trace_service_pb2",
    "RetryInfo": "google.rpc.error_details_pb2",
    "Status": "google.rpc.status_pb2",
}
_INVALID_STATUSES: Final = (400, 422)
_TOO_LARGE_STATUS: Final = 413
_MAYBE_ARRIVED_STATUSES: Final = (408, 500, 502, 504)
"""A proxy gives these when it has passed the request on and got no answer."""
_REJECTED: Final = ("rejected_spans", "rejected_log_records")
_INVALID_CODE: Final = "INVALID_ARGUMENT"
_REFUSING_CODES: Final = (
    "FAILED_PRECONDITION",
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "OUT_OF_RANGE",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "UNAUTHENTICATED",
    "UNIMPLEMENTED",
)
_TOO_LARGE_CODES: Final = (
    "INTERNAL",
    "INVALID_ARGUMENT",
    "OUT_OF_RANGE",
    "RESOURCE_EXHAUSTED",
    "UNKNOWN",
)
# gRPC has no code for it: RESOURCE_EXHAUSTED also means "later". Go, C++ and Java say it in these
# words, in this order; "too large" is also what Rust says, and the Collector with HTTP status 400.
_SAYS_TOO_LARGE: Final = re.compile(r"larger than max|exceeds (the )?maximum|too large", re.I)
# In the words of gRPC and of the Collector's memory limiter.
_SAYS_NOT_TAKEN: Final = re.compile(r"refused|failed to connect|resolution failed", re.I)
# The end of a TLS connection is an SSL error as well, so its handshake is told by the words.
_NOT_CONNECTED: Final = re.compile(
    r"NewConnectionError|NameResolutionError|ConnectTimeout|ProxyError"
    r"|certificate verify failed|certificate required|handshake failure|wrong version number"
)


class Answer(NamedTuple):
    """How one request ended.

    Attributes:
        failure: why the receiver did not take it; empty: it did.
        is_too_large: it would take a smaller one.
        is_invalid: it does not take something that is in it.
        may_have_arrived: it may have taken it all the same, as when the answer was lost.
        rejected_spans: how many of the spans it did not take, of a request that it took.
        rejection: why not those.
        retry_after_seconds: how long it wants to be left alone.
    """

    failure: str = ""
    is_too_large: bool = False
    is_invalid: bool = False
    may_have_arrived: bool = False
    rejected_spans: int = 0
    rejection: str = ""
    retry_after_seconds: float = 0.0


def answer_of_http(status: int, reason: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """Read an HTTP answer.

    Only 2xx means that it was taken, whatever the exporters say. Nobody follows a redirection: what
    stands at its end may be anything, and our headers are not for it.
    """
    content_type = headers.get("content-type", "")
    if 200 <= status < 300:
        no_answer = _why_no_answer(content_type, body)
        if no_answer:
            return Answer(_shortened(f"{status} {reason}: {no_answer}"), may_have_arrived=True)
        return _taken(_http_message("ExportTraceServiceResponse", content_type, body))
    if 300 <= status < 400 and "location" in headers:
        said = f"it leads to {without_secrets(shown_endpoint(headers['location']))}"
    elif content_type.startswith("text/"):
        said = body[:_LONGEST_REASON].decode("utf-8", "replace")
    else:
        said = str(getattr(_http_message("Status", content_type, body), "message", ""))
    is_invalid = status in _INVALID_STATUSES
    is_too_large = status == _TOO_LARGE_STATUS or (
        is_invalid and bool(_SAYS_TOO_LARGE.search(said))
    )
    return Answer(
        _shortened(f"{status} {reason}: {said}"),
        is_too_large=is_too_large,
        is_invalid=is_invalid and not is_too_large,
        may_have_arrived=status in _MAYBE_ARRIVED_STATUSES,
        retry_after_seconds=_retry_after(headers.get("retry-after", "")),
    )


def _why_no_answer(content_type: str, body: bytes) -> str:
    """Return why an answer with a status of success is none of a receiver; empty: it may be one."""
    if content_type.lower().startswith("text/html"):
        return "a web page, a login perhaps, and no answer of an OTLP receiver"
    if len(body) > MOST_BODY_BYTES:
        return "the answer is longer than 1 MiB"
    return ""


def answer_of_grpc(response: object) -> Answer:
    """Read the response to a gRPC call that went well."""
    return _taken(response)


def answer_of_grpc_error(error: Any) -> Answer:
    """Read how a gRPC call failed: of `grpc.RpcError`, its code and its details."""
    code, details = str(error.code().name), str(error.details() or "")
    is_too_large = code in _TOO_LARGE_CODES and bool(_SAYS_TOO_LARGE.search(details))
    is_refused = code in _REFUSING_CODES or bool(_SAYS_NOT_TAKEN.search(details))
    return Answer(
        _shortened(f"{code}: {details}"),
        is_too_large=is_too_large,
        is_invalid=code == _INVALID_CODE and not is_too_large,
        may_have_arrived=not is_refused and not is_too_large,
        retry_after_seconds=_grpc_retry_after(error),
    )


def answer_of_broken_http(error: Exception) -> Answer:
    """Read what happened instead of an HTTP answer."""
    failure = _shortened(f"{type(error).__name__}: {error}")
    was_connected = not _NOT_CONNECTED.search(f"{type(error).__name__}: {error}")
    return Answer(failure, may_have_arrived=was_connected)


def _taken(response: Any) -> Answer:
    partial = getattr(response, "partial_success", None)
    # An answer over HTTP is read as that to spans, whose fields have the same numbers.
    rejected = max(0, *(int(getattr(partial, name, 0)) for name in _REJECTED))
    said = str(getattr(partial, "error_message", "")) if rejected else ""
    return Answer(rejected_spans=rejected, rejection=_shortened(said))


def _http_message(name: str, content_type: str, body: bytes) -> Any:
    """Return the body as the message that OTLP says it is; None when it is not."""
    if not body or len(body) > _LONGEST_MESSAGE:
        return None
    try:
        # Not imported at the top: only who sends by OTLP has these, or wants them in memory.
        message = getattr(importlib.import_module(_MESSAGES[name]), name)()
        if content_type.startswith("application/json"):
            json_format = importlib.import_module("google.protobuf.json_format")
            return json_format.Parse(body, message, ignore_unknown_fields=True)
        message.ParseFromString(body)
    except Exception:  # noqa: BLE001  (whatever it is, it is no such message)
        return None
    return message


def _retry_after(text: str) -> float:
    """Return a number of seconds; of a date none, as it depends on two clocks."""
    return min(float(text), _LONGEST_WAIT_SECONDS) if text.isascii() and text.isdigit() else 0.0


def _grpc_retry_after(error: Any) -> float:
    try:
        message = importlib.import_module(_MESSAGES["RetryInfo"]).RetryInfo()
        for key, value in error.trailing_metadata() or ():
            if key == "google.rpc.retryinfo-bin":
                message.ParseFromString(value)
        asked: float = message.retry_delay.seconds + message.retry_delay.nanos / 1e9
    except Exception:  # noqa: BLE001  (foreign bytes, or none)
        return 0.0
    return min(max(asked, 0.0), _LONGEST_WAIT_SECONDS)


def _shortened(text: str) -> str:
    return " ".join(text.split())[:_LONGEST_REASON].rstrip(": ")
