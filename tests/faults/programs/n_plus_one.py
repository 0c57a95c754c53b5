"""A list page that asks the database once for each of its rows."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI
from opentelemetry import trace
from switch import IS_FAULTY

app = FastAPI()
tracer = trace.get_tracer("shop")


async def query(statement: str, seconds: float) -> None:
    """Ask the database, which takes its time."""
    with tracer.start_as_current_span(statement, attributes={"db.system.name": "postgresql"}):
        await asyncio.sleep(seconds)


@app.get("/orders")
async def list_orders() -> dict[str, int]:
    """List the orders with the names of their customers."""
    await query("SELECT orders", 0.002)
    if IS_FAULTY:
        for _ in range(60):
            await query("SELECT customer", 0.005)
    else:
        await query("SELECT customers", 0.005)
    return {"orders": 60}


@app.get("/ok")
async def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    await query("SELECT item", 0.002)
    return {"status": "ok"}
