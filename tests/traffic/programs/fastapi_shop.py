"""A shop of FastAPI: much goes other than well in it, and nothing is wrong until a fault is."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from typing import Final

import httpx
from fastapi import BackgroundTasks, FastAPI, HTTPException, WebSocket
from fastapi.responses import JSONResponse, StreamingResponse
from opentelemetry import trace
from opentelemetry.trace import SpanKind

DOWNSTREAM: Final = os.environ["DOWNSTREAM"]
LONG_SECONDS: Final = 1.5
"""Longer than a request may take."""
app = FastAPI()
tracer = trace.get_tracer("shop")
client = httpx.AsyncClient()
forgotten: set[asyncio.Task[None]] = set()


@app.get("/items/{number}")
async def item(number: int) -> dict[str, int]:
    """Return an item; one that is no number is refused by the framework."""
    return {"number": number}


@app.get("/missing/{number}")
async def missing(number: int) -> dict[str, int]:
    """Look for what is not there."""
    with tracer.start_as_current_span("load item"):
        raise HTTPException(404, f"no item {number}")


@app.get("/exists")
async def exists() -> dict[str, bool]:
    """Ask another service whether something exists."""
    response = await client.head(f"{DOWNSTREAM}/status/404")
    return {"exists": response.is_success}


@app.get("/retried")
async def retried() -> dict[str, int]:
    """Ask another service that is away for a moment, twice."""
    for _ in range(2):
        response = await client.get(f"{DOWNSTREAM}/flaky")
        if response.is_success:
            break
    return {"status": response.status_code}


@app.get("/events")
async def events() -> StreamingResponse:
    """Send events for a while."""

    async def send() -> AsyncIterator[str]:
        for number in range(4):
            yield f"data: {number}\n\n"
            await asyncio.sleep(LONG_SECONDS / 3)

    return StreamingResponse(send(), media_type="text/event-stream")


@app.get("/after")
async def after(tasks: BackgroundTasks) -> dict[str, str]:
    """Answer, and work on."""
    tasks.add_task(asyncio.sleep, LONG_SECONDS)
    return {}


@app.get("/patient")
async def patient() -> dict[str, str]:
    """Take half a second, for which no client waits."""
    with tracer.start_span("think"):
        await asyncio.sleep(0.5)
    return {}


@app.websocket("/socket")
async def socket(connection: WebSocket) -> None:
    """Talk until the client leaves, which is an exception here."""
    await connection.accept()
    while True:
        await connection.send_text(await connection.receive_text())


@app.get("/bug")
async def bug() -> dict[str, int]:
    """Have a bug."""
    prices: dict[str, int] = {}
    with tracer.start_as_current_span("add up"):
        return {"price": prices["pear"]}


@app.get("/broken")
async def broken() -> JSONResponse:
    """Answer 500 by hand."""
    return JSONResponse({}, status_code=500)


@app.get("/slow")
async def slow() -> dict[str, str]:
    """Answer late."""
    await asyncio.sleep(LONG_SECONDS)
    return {}


@app.get("/hangs")
async def hangs() -> None:
    """Answer never."""
    await asyncio.Event().wait()


@app.get("/blocks")
async def blocks() -> dict[str, str]:
    """Let nobody else answer."""
    time.sleep(LONG_SECONDS)  # noqa: ASYNC251  (that is the fault)
    return {}


@app.get("/forgets")
async def forgets() -> dict[str, str]:
    """Begin what fails when nobody waits for it any more."""

    async def fail() -> None:
        with tracer.start_as_current_span("send mail", kind=SpanKind.INTERNAL):
            await asyncio.sleep(0.2)
            raise ConnectionError("no mail server")

    task = asyncio.create_task(fail())
    forgotten.add(task)
    task.add_done_callback(forgotten.discard)
    return {}
