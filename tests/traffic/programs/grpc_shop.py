"""A shop of grpc.aio, whose messages are bytes: `python grpc_shop.py PORT`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import grpc
import grpc.aio
from opentelemetry import trace

LONG_SECONDS: Final = 1.5
SERVICE: Final = "shop.Shop"


async def get(request: bytes, _context: Any) -> bytes:
    """Return an item."""
    return request


async def missing(request: bytes, context: Any) -> bytes:
    """Look for what is not there."""
    await context.abort(grpc.StatusCode.NOT_FOUND, "no such item")
    return request


async def denied(request: bytes, context: Any) -> bytes:
    """Let nobody in."""
    context.set_code(grpc.StatusCode.PERMISSION_DENIED)
    return request


async def handled(request: bytes, _context: Any) -> bytes:
    """Record an exception that was dealt with."""
    try:
        raise KeyError("no discount")
    except KeyError as error:
        trace.get_current_span().record_exception(error)
    return request


async def patient(request: bytes, _context: Any) -> bytes:
    """Take half a second, for which no client waits."""
    await asyncio.sleep(0.5)
    return request


async def watch(request: bytes, _context: Any) -> AsyncIterator[bytes]:
    """Send messages for a while."""
    for _ in range(4):
        yield request
        await asyncio.sleep(LONG_SECONDS / 3)


async def bug(request: bytes, _context: Any) -> bytes:
    """Have a bug."""
    return request + {b"a": b"b"}[request]


async def internal(request: bytes, context: Any) -> bytes:
    """Say that it failed."""
    await context.abort(grpc.StatusCode.INTERNAL, "no price")
    return request


async def unavailable(request: bytes, context: Any) -> bytes:
    """Say that it cannot."""
    await context.abort(grpc.StatusCode.UNAVAILABLE, "later")
    return request


async def lost(request: bytes, context: Any) -> bytes:
    """Say by a code that something is lost."""
    context.set_code(grpc.StatusCode.DATA_LOSS)
    return request


async def slow(request: bytes, _context: Any) -> bytes:
    """Answer late."""
    await asyncio.sleep(LONG_SECONDS)
    return request


async def torn(request: bytes, _context: Any) -> AsyncIterator[bytes]:
    """Fail in the middle of a stream."""
    yield request
    raise OSError("the file is torn")


_ONE: Final[tuple[Callable[[bytes, Any], Awaitable[bytes]], ...]] = (
    get,
    missing,
    denied,
    handled,
    patient,
    bug,
    internal,
    unavailable,
    lost,
    slow,
)
_MANY: Final = (watch, torn)


async def serve(port: str) -> None:
    """Serve until something ends the process."""
    handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        each.__name__: grpc.unary_unary_rpc_method_handler(each) for each in _ONE
    }
    handlers |= {each.__name__: grpc.unary_stream_rpc_method_handler(each) for each in _MANY}
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
