"""An export that goes on for long, and a client that does not wait for its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from opentelemetry import trace
from switch import IS_FAULTY

app = FastAPI()
tracer = trace.get_tracer("shop")
_ROWS = 1000 if IS_FAULTY else 3


async def rows() -> AsyncIterator[str]:
    """Read the rows of a large table, some at a time."""
    with tracer.start_as_current_span("read orders"):
        for number in range(_ROWS):
            yield f"order {number}\n"
            await asyncio.sleep(0.02)


@app.get("/export")
async def export() -> StreamingResponse:
    """Export all orders."""
    return StreamingResponse(rows())


@app.get("/impatient")
async def impatient(request: Request) -> dict[str, int]:
    """Ask for the export, as a client would that reads only the beginning."""
    reader, writer = await asyncio.open_connection("127.0.0.1", request.url.port)
    writer.write(b"GET /export HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
    read = await reader.read(100)
    await asyncio.sleep(0.4)
    writer.close()
    return {"read": len(read)}


@app.get("/ok")
async def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
