"""A service of grpc.aio, whose messages are bytes.

python grpc_server.py PORT
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from typing import Any, NoReturn

import grpc

logging.basicConfig(
    stream=sys.stderr,
    level=logging.INFO,
    format="%(levelname)s %(name)s %(filename)s:%(lineno)d %(funcName)s: %(message)s",
)
logger = logging.getLogger("shop")


async def item(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
    """Return one item, after a moment of waiting."""
    await asyncio.sleep(0.005)
    logger.warning("item %s is looked at", request.decode())
    return request.upper()


async def prices(request: bytes, context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
    """Return five messages."""
    for number in range(5):
        await asyncio.sleep(0.01)
        yield request + str(number).encode()


async def slow(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
    """Answer after longer than a request may take."""
    await asyncio.sleep(1.2)
    return b"at last"


async def fail(request: bytes, context: grpc.aio.ServicerContext) -> NoReturn:
    """Fail, and say so."""
    await context.abort(grpc.StatusCode.INTERNAL, "no pears")


async def serve(port: str) -> None:
    """Serve until something ends the process."""
    server = grpc.aio.server()
    methods: dict[str, Any] = {
        "Item": grpc.unary_unary_rpc_method_handler(item),
        "Prices": grpc.unary_stream_rpc_method_handler(prices),
        "Slow": grpc.unary_unary_rpc_method_handler(slow),
        "Fail": grpc.unary_unary_rpc_method_handler(fail),
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("shop.Shop", methods)])
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
