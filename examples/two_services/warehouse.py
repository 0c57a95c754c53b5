"""The service behind: it knows how much there is. One item it was never told of."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI
from opentelemetry import trace

STOCK = {"nuts": 120, "bolts": 75, "screws": 300}

app = FastAPI()
tracer = trace.get_tracer("warehouse")


@app.get("/stock/{item}")
async def stock(item: str) -> dict[str, int]:
    """Return how many there are; an item that does not exist is a bug of this route."""
    with tracer.start_as_current_span("query stock", attributes={"item": item}):
        await asyncio.sleep(0.002)
        return {"available": STOCK[item]}
