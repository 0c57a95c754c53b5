"""A service of FastAPI, with a stream of events and a WebSocket besides."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import StreamingResponse
from process_facts import process_facts

logging.basicConfig(
    stream=sys.stderr,
    level=logging.INFO,
    format="%(levelname)s %(name)s %(filename)s:%(lineno)d %(funcName)s: %(message)s",
)
logger = logging.getLogger("shop")
app = FastAPI()


@app.get("/process")
async def process() -> dict[str, Any]:
    """Return what this process is like."""
    return process_facts()


@app.get("/items/{number}")
async def item(number: int) -> dict[str, Any]:
    """Return one item, after a moment of waiting and of work."""
    await asyncio.sleep(0.005)
    logger.warning("item %d is looked at", number)
    return {"number": number, "price": sum(range(20_000)) % (number + 1)}


@app.get("/threads/{number}")
def threads(number: int) -> int:
    """Answer from a thread of the pool, as functions without `async` do."""
    time.sleep(0.005)
    return number


@app.post("/echo")
async def echo(request: Request) -> Response:
    """Return what came."""
    return Response(await request.body())


@app.get("/events")
async def events(interval_seconds: float = 0.02) -> StreamingResponse:
    """Return a stream of five events."""
    return StreamingResponse(_events(interval_seconds), media_type="text/event-stream")


async def _events(interval_seconds: float) -> AsyncIterator[str]:
    for number in range(5):
        await asyncio.sleep(interval_seconds)
        yield f"event: price\ndata: {number}\n\n"


@app.websocket("/socket")
async def socket(connection: WebSocket) -> None:
    """Return each message in capitals, until the client has had enough."""
    await connection.accept()
    async for text in connection.iter_text():
        await connection.send_text(text.upper())


@app.get("/slow")
async def slow() -> str:
    """Answer after longer than a request may take."""
    await asyncio.sleep(1.2)
    return "at last"


@app.get("/fail")
async def fail() -> str:
    """Fail as a program with a mistake does."""
    prices: dict[str, int] = {}
    return str(prices["pear"])
