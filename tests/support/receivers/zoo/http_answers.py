"""Answers to an OTLP request over HTTP, as bytes on a connection."""

from __future__ import annotations

import socket
import time
import zlib
from collections.abc import Callable
from itertools import repeat
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.support.receivers.zoo.tcp_zoo import Visit

PROTOBUF: Final = "application/x-protobuf"
_MIB: Final = 1024 * 1024
_POUR_SECONDS: Final = 20.0

Answer = Callable[[Visit], object]


def head(status: str, *lines: str) -> bytes:
    """Return the head of an answer."""
    return "\r\n".join((f"HTTP/1.1 {status}", *lines, "", "")).encode("latin-1")


def answering(status: str, body: bytes = b"", content_type: str = PROTOBUF, *lines: str) -> Answer:
    """Answer every request of a connection in the same way."""
    answer = head(status, f"Content-Type: {content_type}", f"Content-Length: {len(body)}", *lines)

    def answer_all(visit: Visit) -> None:
        while True:
            visit.read_request()
            visit.send(answer, body)

    return answer_all


def after_request(go_on: Answer) -> Answer:
    """Read a request, then do something else than to answer."""

    def answer(visit: Visit) -> None:
        visit.read_request()
        go_on(visit)

    return answer


def sending(*parts: bytes) -> Answer:
    """Read a request, send these bytes and close the connection."""
    return after_request(lambda visit: visit.send(*parts))


def pouring(begin: bytes, piece: bytes) -> Answer:
    """Read a request, and send the same bytes as fast as they are taken."""

    def pour(visit: Visit) -> None:
        visit.send(begin)
        until = time.monotonic() + _POUR_SECONDS
        while time.monotonic() < until:
            visit.send(piece)

    return after_request(pour)


def dripping(begin: bytes, piece: bytes) -> Answer:
    """Read a request, and send the same bytes now and then."""

    def drip(visit: Visit) -> None:
        visit.send(begin)
        visit.drip(repeat(piece))

    return after_request(drip)


def taking_up_to(most_bytes: int) -> Answer:
    """Take small requests only."""

    def answer(visit: Visit) -> None:
        while True:
            request = visit.read_request().lower()
            length = int(request.partition(b"content-length:")[2].split(b"\r\n")[0])
            status = "413 Content Too Large" if length > most_bytes else "200 OK"
            visit.send(head(status, f"Content-Type: {PROTOBUF}", "Content-Length: 0"))

    return answer


def close_half_after_answer(visit: Visit) -> None:
    """Answer, and send nothing more."""
    visit.read_request()
    visit.send(head("200 OK", f"Content-Type: {PROTOBUF}"))
    visit.socket.shutdown(socket.SHUT_WR)
    visit.wait(1.0)


def close_half_before_answer(visit: Visit) -> None:
    """Read, but send nothing."""
    visit.socket.shutdown(socket.SHUT_WR)
    visit.wait()


def break_within_request(visit: Visit) -> None:
    """Read a part of the request only."""
    visit.socket.recv(100)
    visit.reset()


def read_slowly(visit: Visit) -> None:
    """Read a little now and then."""
    while not visit.wait(0.2) and visit.socket.recv(16):
        pass


def partial_success(rejected: int) -> bytes:
    """Return an answer of which some spans were not taken."""
    response = ExportTraceServiceResponse()
    response.partial_success.rejected_spans = rejected
    response.partial_success.error_message = "span too old"
    return response.SerializeToString()


def gzip_bomb(mebibytes: int) -> bytes:
    """Return zeros that become so many MiB."""
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    return b"".join(packer.compress(bytes(_MIB)) for _ in range(mebibytes)) + packer.flush()
