"""Taps the answers that a receiver gives to an official exporter, below that exporter.

There is no official way: of an answer they pass on only whether it was a success, and log a part of
the rest. So for the duration of one export, the call that sends a request is wrapped where each
release so far has kept it. An exporter that has it nowhere works as ever; its answers are not known
then, and why it failed is what it logs.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Final

from otel_flight.delivery.receiver.answers import (
    MOST_BODY_BYTES,
    Answer,
    answer_of_broken_http,
    answer_of_grpc,
    answer_of_grpc_error,
    answer_of_http,
)

_MOST_ANSWERS: Final = 1024
_SESSION_PATHS: Final = (("_session",), ("_client", "_transport", "_session"))
"""The HTTP exporters keep their `requests.Session` at one of these paths; older ones have the
first."""

_WITH_ANY_HEADER: Final = zlib.MAX_WBITS | 32
"""It tells zlib to take gzip as well."""


class TooLargeForReceiver(Exception):  # noqa: N818  (nothing the caller of an exporter handles)
    """Ends a gRPC export whose request the receiver will never take."""


@contextmanager
def tap_answers(exporter: object) -> Iterator[list[Answer]]:
    """Collect the answers to the requests that the exporter sends meanwhile, in their order."""
    answers: list[Answer] = []

    def note(answer: Answer) -> None:
        if len(answers) < _MOST_ANSWERS:
            answers.append(answer)

    with ExitStack() as taps:
        if _is_grpc(exporter):
            taps.enter_context(_tapped_grpc(exporter, note))
        elif (session := session_of(exporter)) is not None:
            taps.enter_context(_tapped_session(session, note))
        yield answers


def _is_grpc(exporter: Any) -> bool:
    client = getattr(exporter, "_client", None)
    return callable(getattr(client, "Export", None)) and callable(getattr(exporter, "_stub", None))


def session_of(exporter: object) -> Any:
    """Return the `requests.Session` of an exporter; None: it has none where it is known to be."""
    for path in _SESSION_PATHS:
        found: Any = exporter
        for name in path:
            found = getattr(found, name, None)
        if callable(getattr(found, "send", None)):
            return found
    return None


@contextmanager
def _replaced(target: Any, name: str, value: Any) -> Iterator[None]:
    """Give one object an attribute of its own, in place of its own or its class's."""
    missing = object()
    before = vars(target).get(name, missing)
    setattr(target, name, value)
    try:
        yield
    finally:
        if before is missing:
            delattr(target, name)
        else:
            setattr(target, name, before)


@contextmanager
def _tapped_session(session: Any, note: Callable[[Answer], None]) -> Iterator[None]:
    send = session.send

    def tapped(request: Any, **options: Any) -> Any:
        request.headers["Accept-Encoding"] = "identity"
        try:
            response = send(request, **{**options, "stream": True, "allow_redirects": False})
            body = read_body(response)
        except Exception as error:
            note(answer_of_broken_http(error))
            raise
        reason = str(response.reason or "")
        note(answer_of_http(response.status_code, reason, response.headers, body))
        return response

    with _replaced(session, "send", tapped):
        yield


def read_body(response: Any) -> bytes:
    """Return the body of an answer of which only the headers were read; the exporter has it, too.

    Returns:
        One byte more than `MOST_BODY_BYTES` where it is longer than that.
    """
    most = MOST_BODY_BYTES + 1
    data = response.raw.read(most, decode_content=False)
    if len(data) == most:
        response.raw.close()  # what still comes is not for the next request
    body = _decompressed(data, response.headers.get("content-encoding", ""), most)
    # As `requests` does when it reads a body: there is no public way to say that it was read.
    response._content = body
    response._content_consumed = True
    return body


def _decompressed(data: bytes, encoding: str, most_bytes: int) -> bytes:
    if encoding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        return data
    with suppress(zlib.error):
        return zlib.decompressobj(_WITH_ANY_HEADER).decompress(data, most_bytes)
    return b""


class _TappedClient:
    """Stands in for the generated client, of which the exporter calls this one method."""

    def __init__(self, official: Any, note: Callable[[Answer], None]) -> None:
        self.official = official
        self._note = note

    def Export(self, *arguments: Any, **options: Any) -> Any:  # noqa: N802  (the service's name)
        try:
            response = self.official.Export(*arguments, **options)
        except Exception as error:
            if not callable(getattr(error, "code", None)):  # no `grpc.RpcError`
                raise
            answer = answer_of_grpc_error(error)
            self._note(answer)
            if answer.is_too_large:
                # The exporters take its code for one that passes: they would send the same request
                # until their time is up, old ones for a minute.
                raise TooLargeForReceiver(answer.failure) from None
            raise
        self._note(answer_of_grpc(response))
        return response


@contextmanager
def _tapped_grpc(exporter: Any, note: Callable[[Answer], None]) -> Iterator[None]:
    stub = exporter._stub
    # Newer ones make a new client when the connection was lost.
    with _replaced(exporter, "_stub", lambda channel: _TappedClient(stub(channel), note)):
        exporter._client = _TappedClient(exporter._client, note)
        try:
            yield
        finally:
            if isinstance(exporter._client, _TappedClient):
                exporter._client = exporter._client.official
