"""A small shop. One route is fine, one is slow, one is broken: there is something to see."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI
from opentelemetry import trace

PRICES_CENTS = {1: 1250, 2: 399, 3: 6400}

app = FastAPI()
tracer = trace.get_tracer("shop")


@app.get("/items/{number}")
async def item(number: int) -> dict[str, int]:
    """Return one item; a number that does not exist is a bug of this route."""
    with tracer.start_as_current_span("load item", attributes={"item.number": number}):
        await asyncio.sleep(0.002)
        return {"number": number, "price_cents": PRICES_CENTS[number]}


@app.get("/report")
async def report() -> dict[str, int]:
    """Add up all prices, much too slowly: one item at a time."""
    total = 0
    for number, price in PRICES_CENTS.items():
        with tracer.start_as_current_span("price of item", attributes={"item.number": number}):
            await asyncio.sleep(0.4)
            total += price
    return {"total_cents": total}
