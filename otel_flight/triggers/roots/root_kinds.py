"""What a local root is, as far as that decides how long it may take."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from types import CodeType, FrameType
from typing import Any, Final

from opentelemetry.trace import SpanKind

from otel_flight.interpreter.concurrency.tasks import running_task
from otel_flight.interpreter.frames import awaiting_stack, current_stack, values_of_packages
from otel_flight.names import span_attributes as names
from otel_flight.recording.open_spans import OpenRoot, task_of

_WAITING_OPERATIONS: Final = frozenset({"poll", "receive"})
_WEBSOCKET_SCHEMES: Final = frozenset({"ws", "wss"})
_SWITCHING_PROTOCOLS: Final = 101
_EVENT_STREAM: Final = "text/event-stream"
_STREAMS: Final = {
    "_handle_stream_stream_rpc": "grpc",
    "_handle_stream_unary_rpc": "grpc",
    "_handle_unary_stream_rpc": "grpc",
    "_intercept_server_stream": "grpc",
    "_stream_interceptor": "grpc",
    "receive": "aiohttp",
}
"""Functions that serve a stream, each with the package that it is in: no attribute tells."""
_FARTHEST: Final = 16
"""The function that tells a stream is among this many, from where it is looked for on."""


class RootKind(Enum):
    """What a local root is."""

    REQUEST = "request"
    """Somebody waits for it: a server's, or the work for a message."""
    JOB = "job"
    """The program began it by itself."""
    STREAM = "stream"
    """It is open for as long as there is something to say: a websocket, say."""
    WAIT = "wait"
    """It waits for work, or is a call of something that makes no span."""


def kind_of(span: Any) -> RootKind:
    """Return what a local root is, as far as its attributes tell."""
    kind = span.kind
    attributes: Mapping[str, Any] = span.attributes or {}
    if kind is SpanKind.CLIENT:
        return RootKind.WAIT
    if kind is SpanKind.CONSUMER:
        is_waiting = any(
            attributes.get(name) in _WAITING_OPERATIONS for name in names.MESSAGING_OPERATIONS
        )
        return RootKind.WAIT if is_waiting else RootKind.REQUEST
    if kind is not SpanKind.SERVER:
        return RootKind.JOB
    return RootKind.STREAM if _is_web_stream(attributes) else RootKind.REQUEST


def has_answered(span: Any) -> bool:
    """Return whether an open request has begun its answer: its status is known then."""
    if span.kind is not SpanKind.SERVER:
        return False
    attributes: Mapping[str, Any] = span.attributes or {}
    return any(name in attributes for name in names.HTTP_STATUS_CODES)


def is_serving_stream(root: OpenRoot) -> bool:
    """Return whether the code of an open request is that of a stream. Ticker only."""
    _, thread_id, reference, _ = root
    task = task_of(root)
    if reference is None or (task is not None and running_task(task.get_loop()) is task):
        return _are_of_stream(frame.code for frame in current_stack(thread_id))
    if task is None or task.done():
        return False
    coroutine = task.get_coro()
    return _are_of_stream(_awaited_code(coroutine)) or _is_sending_events(coroutine)


def is_ended_by_stream() -> bool:
    """Return whether the code that ends a span, which called this, is that of a stream."""
    codes: list[CodeType] = []
    frame: FrameType | None = sys._getframe()
    while frame is not None and len(codes) < _FARTHEST:
        codes.append(frame.f_code)
        frame = frame.f_back
    return _are_of_stream(codes)


def _awaited_code(coroutine: Any) -> Iterator[CodeType]:
    """Yield the code of a coroutine and of those that it awaits; Cython's have no frames."""
    for _ in range(_FARTHEST):
        if type(coroutine).__name__ != "coroutine":
            return
        yield coroutine.cr_code
        coroutine = coroutine.cr_await


def _is_sending_events(coroutine: Any) -> bool:
    """Return whether a handler of aiohttp that waits has an answer that is an event stream."""
    if "aiohttp.web_response" not in sys.modules:
        return False
    frames, _ = awaiting_stack(coroutine)
    return any(
        getattr(value, "content_type", "") == _EVENT_STREAM
        for value in values_of_packages(frames, ("aiohttp",))
        if any(each.__name__ == "StreamResponse" for each in type(value).__mro__)
    )


def _is_web_stream(attributes: Mapping[str, Any]) -> bool:
    if any(attributes.get(name) in _WEBSOCKET_SCHEMES for name in names.URL_SCHEMES):
        return True
    if any(attributes.get(name) == _SWITCHING_PROTOCOLS for name in names.HTTP_STATUS_CODES):
        return True
    return _EVENT_STREAM in str(attributes.get(names.RESPONSE_CONTENT_TYPE, ""))


def _are_of_stream(codes: Iterable[CodeType]) -> bool:
    return any(
        package in code.co_filename
        for code in codes
        if (package := _STREAMS.get(code.co_name)) is not None
    )
