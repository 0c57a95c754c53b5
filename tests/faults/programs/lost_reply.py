"""A request that waits for a message which never comes, without a limit."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI
from opentelemetry import trace
from switch import IS_FAULTY

app = FastAPI()
tracer = trace.get_tracer("shop")


@app.get("/quote")
async def quote() -> dict[str, str]:
    """Ask all suppliers for a price, by message, and wait for the reply."""
    replies: asyncio.Queue[str] = asyncio.Queue()
    with tracer.start_as_current_span("send inquiry"):
        if not IS_FAULTY:
            await replies.put("4.20")
    with tracer.start_as_current_span("receive quote"):
        return {"price": await replies.get()}


@app.get("/ok")
async def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
