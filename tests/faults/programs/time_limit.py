"""A page that waits for the stock, but not for ever: the stock does not answer."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI
from opentelemetry import trace
from switch import IS_FAULTY

app = FastAPI()
tracer = trace.get_tracer("shop")


async def ask_stock(seconds: float) -> int:
    """Ask the stock how many there are."""
    with tracer.start_as_current_span("stock"):
        await asyncio.sleep(seconds)
    return 7


@app.get("/item")
async def item() -> dict[str, int]:
    """Show an item."""
    return {"stock": await asyncio.wait_for(ask_stock(30 if IS_FAULTY else 0.005), 0.2)}


@app.get("/ok")
async def ok() -> dict[str, int]:
    """Do what every service does all the time."""
    return {"stock": await ask_stock(0.001)}
