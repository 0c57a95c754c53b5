"""All that may be answered to an OTLP request by gRPC: by a gRPC server, and by what is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import repeat
from threading import Event
from typing import Any, Final

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]

from tests.support.receivers.zoo.behaviour import Behaviour, not_taking, taking, taking_some
from tests.support.receivers.zoo.http_answers import head, partial_success
from tests.support.receivers.zoo.tcp_zoo import Visit

_MIB: Final = 1024 * 1024
_TOO_LATE: Final = "DEADLINE_EXCEEDED"
"""The exporter may begin again when its time is just over, which is what is said then."""
_TOO_LONG: Final = f"RESOURCE_EXHAUSTED.*larger|{_TOO_LATE}"
_SERVICE: Final = "opentelemetry.proto.collector.trace.v1.TraceService"


class Call:
    """One request to the gRPC zoo.

    Attributes:
        request: its bytes.
        context: what grpcio lets a server do with it.
        is_over: is set when the zoo closes.
    """

    def __init__(self, request: bytes, context: Any, is_over: Event) -> None:
        self.request = request
        self.context = context
        self.is_over = is_over


@contextmanager
def grpc_zoo(answer: Callable[[Call], object]) -> Iterator[int]:
    """Answer each request with the bytes that a function returns; yield the port."""
    is_over = Event()

    def export(request: bytes, context: Any) -> object:
        return answer(Call(request, context, is_over))

    server = grpc.server(
        ThreadPoolExecutor(max_workers=8, thread_name_prefix="zoo"),
        options=[("grpc.so_reuseport", 0), ("grpc.max_send_message_length", -1)],
    )
    handler: Any = grpc.unary_unary_rpc_method_handler(export)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(_SERVICE, {"Export": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        is_over.set()
        server.stop(grace=None).wait()


def _failing(code: str, details: str = "", *trailers: tuple[str, Any]) -> Callable[[Call], object]:
    def answer(call: Call) -> None:
        call.context.set_trailing_metadata(trailers)
        call.context.abort(grpc.StatusCode[code], details)

    return answer


def _retry_after(seconds: int) -> tuple[str, bytes]:
    retry = RetryInfo(retry_delay=Duration(seconds=seconds))
    return "google.rpc.retryinfo-bin", retry.SerializeToString()


def _answering(data: bytes) -> Callable[[Call], object]:
    return lambda call: data


def _packed(call: Call) -> bytes:
    call.context.set_compression(grpc.Compression.Gzip)
    return partial_success(1)


def _bomb(call: Call) -> bytes:
    call.context.set_compression(grpc.Compression.Gzip)
    return bytes(8 * _MIB)


def _raise(call: Call) -> None:
    raise ValueError("the server has a mistake")


def _take_small_ones(call: Call) -> bytes:
    if len(call.request) > 1500:
        call.context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "message larger than max (9 vs. 8)")
    return b""


GRPC_CALLS: Final[tuple[Behaviour[Call], ...]] = (
    taking("takes it", _answering(b"")),
    taking("rejects less than nothing", _answering(partial_success(-5))),
    taking("takes small requests only", _take_small_ones),
    taking_some("takes all but one", _answering(partial_success(1)), "span too old"),
    taking_some("rejects more than all", _answering(partial_success(1 << 62)), "span too old"),
    taking_some("packs its answer", _packed, "span too old"),
    not_taking("answers what is no message", _answering(b"\xff\xff\xff"), "INTERNAL|deserializ"),
    not_taking("answers at length", _answering(bytes(8 * _MIB)), _TOO_LONG),
    not_taking("sends a bomb", _bomb, _TOO_LONG),
    not_taking("says nothing", lambda call: call.is_over.wait(60.0), "DEADLINE_EXCEEDED"),
    not_taking("has a mistake", _raise, "UNKNOWN"),
    *(
        not_taking(
            f"fails with {code}",
            _failing(code, "for a reason"),
            f"{code}: for a reason|{_TOO_LATE}",
        )
        for code in (
            "ABORTED",
            "CANCELLED",
            "DATA_LOSS",
            "FAILED_PRECONDITION",
            "INTERNAL",
            "INVALID_ARGUMENT",
            "NOT_FOUND",
            "OUT_OF_RANGE",
            "PERMISSION_DENIED",
            "RESOURCE_EXHAUSTED",
            "UNAUTHENTICATED",
            "UNAVAILABLE",
            "UNIMPLEMENTED",
        )
    ),
    *(
        not_taking(
            f"wants to be left alone {name}",
            _failing("UNAVAILABLE", "", trailer),
            f"UNAVAILABLE|{_TOO_LATE}",
        )
        for name, trailer in (
            ("for a minute", _retry_after(60)),
            ("for ever", _retry_after(315_000_000_000)),
            ("for less than nothing", _retry_after(-60)),
            ("in noise", ("google.rpc.retryinfo-bin", b"\xff\xff\xff")),
        )
    ),
    not_taking(
        "has long details", _failing("INVALID_ARGUMENT", "x" * 5000), "INVALID_ARGUMENT|RESOURCE"
    ),
    not_taking(
        "has a long trailer",
        _failing("INTERNAL", "", ("x-noise", "x" * 100_000)),
        "INTERNAL|RESOURCE_EXHAUSTED|UNAVAILABLE",
    ),
    not_taking(
        "finds all too large",
        _failing("RESOURCE_EXHAUSTED", "message larger than max (9 vs. 8)"),
        "takes none of the spans: RESOURCE_EXHAUSTED",
    ),
)
_FRAME_OF_SETTINGS: Final = b"\0\0\0\4\0\0\0\0\0"
_FRAME_OF_PING: Final = b"\0\0\x08\x06\0\0\0\0\0" + bytes(8)
_GO_AWAY: Final = b"\0\0\x08\x07\0\0\0\0\0" + bytes(8)


def _pour(begin: bytes, piece: bytes) -> Callable[[Visit], object]:
    def answer(visit: Visit) -> None:
        visit.send(begin)
        visit.drip(repeat(piece * 100), 0.001)

    return answer


def _drip(begin: bytes, piece: bytes) -> Callable[[Visit], object]:
    def answer(visit: Visit) -> None:
        visit.send(begin)
        visit.drip(repeat(piece))

    return answer


def _send(data: bytes) -> Callable[[Visit], object]:
    def answer(visit: Visit) -> None:
        visit.socket.recv(1000)
        visit.send(data)

    return answer


_NOT_THERE: Final = "UNAVAILABLE|DEADLINE_EXCEEDED|INTERNAL|UNKNOWN|RESOURCE_EXHAUSTED"
GRPC_CONNECTIONS: Final[tuple[Behaviour[Visit], ...]] = tuple(
    not_taking(name, answer, _NOT_THERE)
    for name, answer in (
        ("hangs up at once", Visit.reset),
        ("reads nothing", Visit.wait),
        ("is a web server", _send(head("200 OK", "Content-Length: 0"))),
        ("redirects", _send(head("302 Found", "Location: /login", "Content-Length: 0"))),
        ("is a mail server", _send(b"220 mail.example ESMTP\r\n")),
        ("sends noise", _send(bytes(range(256)) * 40)),
        ("goes away", _send(_FRAME_OF_SETTINGS + _GO_AWAY)),
        ("says nothing after its settings", _drip(_FRAME_OF_SETTINGS, b"")),
        ("drips its settings", _drip(b"", b"\0")),
        ("pings for ever", _pour(_FRAME_OF_SETTINGS, _FRAME_OF_PING)),
        ("sends settings for ever", _pour(b"", _FRAME_OF_SETTINGS)),
        ("drips a large frame", _drip(_FRAME_OF_SETTINGS + b"\0\x3f\xff\1\4\0\0\0\1", b"\0")),
    )
)
