"""The service in front: for each item of an order it asks the warehouse, over HTTP."""

from __future__ import annotations

import os

import httpx
from fastapi import FastAPI
from opentelemetry import trace

ORDERS = {1: ["nuts", "bolts"], 2: ["screws"], 3: ["nuts", "hammer"]}

app = FastAPI()
tracer = trace.get_tracer("storefront")
warehouse = httpx.AsyncClient(base_url=os.environ.get("WAREHOUSE_URL", "http://localhost:8001"))


@app.get("/orders/{number}")
async def order(number: int) -> dict[str, int]:
    """Return how much there is of each item."""
    with tracer.start_as_current_span("collect items", attributes={"order.number": number}):
        return {item: await available(item) for item in ORDERS[number]}


async def available(item: str) -> int:
    """Return how many the warehouse has; that it fails is our failure too."""
    answer = await warehouse.get(f"/stock/{item}")
    answer.raise_for_status()
    found: int = answer.json()["available"]
    return found
