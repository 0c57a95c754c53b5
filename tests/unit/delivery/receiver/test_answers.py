"""What receivers answer is told apart by what has to be done about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from otel_flight.delivery.receiver.answers import (
    MOST_BODY_BYTES,
    Answer,
    answer_of_broken_http,
    answer_of_grpc,
    answer_of_grpc_error,
    answer_of_http,
)

PROTOBUF = {"content-type": "application/x-protobuf"}


class RpcError(grpc.RpcError):
    """How grpcio says that a call failed."""

    def __init__(self, code: str, details: str | None, metadata: Sequence[Any] | None = ()) -> None:
        super().__init__()
        self._answer = (grpc.StatusCode[code], details, metadata)

    def code(self) -> grpc.StatusCode:
        """Return the status code."""
        return self._answer[0]

    def details(self) -> str | None:
        """Return the message that came with it."""
        return self._answer[1]

    def trailing_metadata(self) -> Sequence[Any] | None:  # type: ignore[override]
        """Return what came besides."""
        return self._answer[2]


def kind(answer: Answer) -> str:
    """Return what an answer is, in the words of its attributes."""
    names = ("is_too_large", "is_invalid", "may_have_arrived")
    return " ".join(name for name in names if getattr(answer, name))


def status_body(message: str) -> bytes:
    """Return the body of a refusal as OTLP wants it."""
    return bytes(Status(code=3, message=message).SerializeToString())


def partial_logs(rejected: int, message: str) -> ExportLogsServiceResponse:
    """Return a response that says some log records were not taken."""
    response = ExportLogsServiceResponse()
    response.partial_success.rejected_log_records = rejected
    response.partial_success.error_message = message
    return response


def partial(rejected: int, message: str = "") -> ExportTraceServiceResponse:
    """Return a response that says some spans were not taken."""
    response = ExportTraceServiceResponse()
    response.partial_success.rejected_spans = rejected
    response.partial_success.error_message = message
    return response


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (413, b"", "is_too_large"),
        (413, b"\xff\xff", "is_too_large"),
        (400, status_body("http: request body too large"), "is_too_large"),
        (400, status_body("proto: cannot parse"), "is_invalid"),
        (400, b"", "is_invalid"),
        (422, b"", "is_invalid"),
        (401, b"", ""),
        (403, b"", ""),
        (404, b"", ""),
        (429, b"", ""),
        (503, status_body("data refused due to high memory usage"), ""),
        (503, status_body("too large a backlog"), ""),
        (408, b"", "may_have_arrived"),
        (500, b"", "may_have_arrived"),
        (502, b"", "may_have_arrived"),
        (504, b"", "may_have_arrived"),
    ],
)
def test_http_refusals(status: int, body: bytes, expected: str) -> None:
    """A request that is too large is one also where the Collector calls it a bad request."""
    answer = answer_of_http(status, "Reason", PROTOBUF, body)

    assert kind(answer) == expected
    assert answer.failure.startswith(f"{status} Reason")


@pytest.mark.parametrize(
    ("status", "headers", "body", "expected"),
    [
        (
            302,
            {"location": "https://u:s3cret@l/in?s3cret"},
            b"",
            "302 Why: it leads to https://l/in",
        ),
        (
            307,
            {"location": "//[s3cret"},
            b"",
            "307 Why: it leads to an endpoint that cannot be read",
        ),
        (304, {}, b"", "304 Why"),
        (100, {}, b"", "100 Why"),
        (999, {}, b"", "999 Why"),
        (
            200,
            {"content-type": "text/html"},
            b"<p>",
            "200 Why: a web page, a login perhaps, and no ",
        ),
        (200, PROTOBUF, bytes(MOST_BODY_BYTES + 1), "200 Why: the answer is longer than 1 MiB"),
    ],
)
def test_what_is_no_success(
    status: int, headers: dict[str, str], body: bytes, expected: str
) -> None:
    """The exporters take every status below 400 for one."""
    assert answer_of_http(status, "Why", headers, body).failure.startswith(expected)


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("application/x-protobuf", status_body("no  such\ntenant"), "403 Reason: no such tenant"),
        (
            "application/json",
            b'{"code":7,"message":"no such tenant"}',
            "403 Reason: no such tenant",
        ),
        ("text/plain; charset=utf-8", b"no such tenant\n", "403 Reason: no such tenant"),
        ("application/x-protobuf", b"<html>", "403 Reason"),
        ("application/octet-stream", b"", "403 Reason"),
    ],
)
def test_the_reason_is_what_the_receiver_says(
    content_type: str, body: bytes, expected: str
) -> None:
    """Status, its name, and what the body has to say, on one line."""
    answer = answer_of_http(403, "Reason", {"content-type": content_type}, body)

    assert answer.failure == expected


def test_a_reason_has_an_end() -> None:
    """It is kept with the incident, so it is cut."""
    assert len(answer_of_http(403, "x" * 5000, PROTOBUF, b"").failure) == 300
    assert len(answer_of_grpc_error(RpcError("UNKNOWN", "x" * 5000)).failure) == 300


@pytest.mark.parametrize(
    ("code", "details", "expected"),
    [
        (
            "RESOURCE_EXHAUSTED",
            "grpc: received message larger than max (5 vs. 4)",
            "is_too_large",
        ),
        (
            "RESOURCE_EXHAUSTED",
            "SERVER: Received message larger than max (5 vs. 4)",
            "is_too_large",
        ),
        ("RESOURCE_EXHAUSTED", "gRPC message exceeds maximum size 4: 5", "is_too_large"),
        ("OUT_OF_RANGE", "Error, decoded message length too large: found 5", "is_too_large"),
        ("RESOURCE_EXHAUSTED", "too many requests", ""),
        ("RESOURCE_EXHAUSTED", None, ""),
        ("FAILED_PRECONDITION", "TRACE_TOO_LARGE: max size of trace exceeded", ""),
        ("INVALID_ARGUMENT", "empty trace id", "is_invalid"),
        ("UNAUTHENTICATED", "no token", ""),
        ("UNIMPLEMENTED", "unknown service", ""),
        ("UNAVAILABLE", "data refused due to high memory usage", ""),
        ("UNAVAILABLE", "failed to connect to all addresses; last error: …", ""),
        ("UNAVAILABLE", "Socket closed", "may_have_arrived"),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", "may_have_arrived"),
        ("CANCELLED", "Channel closed!", "may_have_arrived"),
        ("UNKNOWN", "", "may_have_arrived"),
    ],
)
def test_grpc_refusals(code: str, details: str | None, expected: str) -> None:
    """What the code leaves open, the words say."""
    answer = answer_of_grpc_error(RpcError(code, details))

    assert kind(answer) == expected
    assert answer.failure == (f"{code}: {details}" if details else code)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionError("(Caused by NewConnectionError('[Errno 111] Connection refused'))"), ""),
        (ConnectionError("(Caused by NameResolutionError('no such host'))"), ""),
        (ConnectionError("(Caused by SSLError('[SSL] certificate verify failed: …'))"), ""),
        (ConnectionError("(Caused by SSLError('[SSL] alert certificate required'))"), ""),
        (ConnectionError("(Caused by SSLError('[SSL] wrong version number'))"), ""),
        (ConnectionError("(Caused by SSLError(SSLEOFError('EOF occurred')))"), "may_have_arrived"),
        (ConnectionError("('Connection aborted.', RemoteDisconnected())"), "may_have_arrived"),
        (TimeoutError("Read timed out."), "may_have_arrived"),
    ],
)
def test_without_an_answer_it_depends_on_the_connection(error: Exception, expected: str) -> None:
    """What never got a connection cannot have arrived; what lost its connection can."""
    answer = answer_of_broken_http(error)

    assert kind(answer) == expected
    assert answer.failure == f"{type(error).__name__}: {error}"


@pytest.mark.parametrize(
    "answer",
    [
        answer_of_grpc(partial(3, "bad\n time")),
        answer_of_http(200, "OK", PROTOBUF, partial(3, "bad time").SerializeToString()),
        answer_of_http(
            200,
            "OK",
            {"content-type": "application/json"},
            b'{"partialSuccess": {"rejectedSpans": "3", "errorMessage": "bad time", "new": 1}}',
        ),
        answer_of_grpc(partial_logs(3, "bad time")),
        answer_of_http(200, "OK", PROTOBUF, partial_logs(3, "bad time").SerializeToString()),
    ],
    ids=["grpc", "http", "http-json", "grpc-logs", "http-logs"],
)
def test_a_partial_success_says_how_many_spans_were_not_taken(answer: Answer) -> None:
    """Over both transports, with the reason; and how many log records of those."""
    assert answer == Answer(rejected_spans=3, rejection="bad time")


@pytest.mark.parametrize(
    "answer",
    [
        answer_of_grpc(ExportTraceServiceResponse()),
        answer_of_grpc(partial(0, "a remark")),
        answer_of_grpc(partial(-1)),
        answer_of_grpc(object()),
        answer_of_http(200, "OK", PROTOBUF, b""),
        answer_of_http(200, "OK", PROTOBUF, b"ok"),
        answer_of_http(200, "OK", {}, b"x" * 100_000),
        answer_of_http(202, "Accepted", {"content-type": "application/json"}, b"[]"),
    ],
)
def test_everything_else_that_goes_well_is_a_success(answer: Answer) -> None:
    """A remark, an odd number or an odd body takes nothing away from it."""
    assert answer == Answer()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("86400", 600.0),
        ("-1", 0.0),
        ("soon", 0.0),
        ("²", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
    ],
)
def test_http_receivers_can_ask_for_time(text: str, seconds: float) -> None:
    """A number of seconds, of which no receiver gets more than ten minutes."""
    assert answer_of_http(429, "", {"retry-after": text}, b"").retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("metadata", "seconds"),
    [
        (
            (("a", "b"), ("google.rpc.retryinfo-bin", RetryInfo(retry_delay=Duration(seconds=7)))),
            7.0,
        ),
        ((("google.rpc.retryinfo-bin", RetryInfo(retry_delay=Duration(nanos=500_000_000))),), 0.5),
        ((("google.rpc.retryinfo-bin", RetryInfo(retry_delay=Duration(seconds=86400))),), 600.0),
        ((("google.rpc.retryinfo-bin", RetryInfo(retry_delay=Duration(seconds=-5))),), 0.0),
        ((("google.rpc.retryinfo-bin", b"\xff"),), 0.0),
        (None, 0.0),
    ],
)
def test_grpc_receivers_can_ask_for_time(metadata: Sequence[Any] | None, seconds: float) -> None:
    """As the details of an error say it."""
    wire = metadata and [
        (key, value.SerializeToString() if isinstance(value, RetryInfo) else value)
        for key, value in metadata
    ]

    answer = answer_of_grpc_error(RpcError("UNAVAILABLE", "", wire))

    assert answer.retry_after_seconds == seconds
