"""The shop that the demo runs: an ordinary FastAPI service that knows nothing of the recorder.

Run by uvicorn under `opentelemetry-instrument`. Databases and caches are sleeps in spans; the lock
that makes a request slow is real.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.context import Context

_DELAYS: Final = itertools.cycle((0.001, 0.002, 0.001, 0.004, 0.002, 0.008, 0.001, 0.003))
_BATCHES: Final = 6
_BATCH_SECONDS: Final = 0.4

app = FastAPI(title="shop")
tracer = trace.get_tracer("shop")
stock_lock = asyncio.Lock()
background: set[asyncio.Task[None]] = set()


class PaymentDeclinedError(Exception):
    """The bank does not want to pay."""


@contextmanager
def _span(name: str, **attributes: Any) -> Iterator[None]:
    with tracer.start_as_current_span(name, attributes=attributes):
        yield


async def _cache(operation: str, key: str) -> None:
    with _span(f"cache {operation}", **{"db.system.name": "redis", "cache.key": key}):
        await asyncio.sleep(next(_DELAYS) / 4)


async def _query(statement: str) -> None:
    operation, *_, table = statement.split()
    with _span(
        f"{operation} {table}",
        **{"db.system.name": "postgresql", "db.query.text": statement},
    ):
        await asyncio.sleep(next(_DELAYS))


@app.get("/health")
async def health() -> dict[str, str]:
    """Say that the service is up."""
    return {"status": "up"}


@app.get("/items")
async def list_items() -> dict[str, int]:
    """List what is for sale."""
    await _cache("get", "items:front-page")
    await _query("SELECT id, name, price FROM items")
    return {"items": 20}


@app.get("/items/{sku}")
async def get_item(sku: str) -> dict[str, str]:
    """Show one item, with its stock."""
    await _cache("get", f"item:{sku}")
    await _query("SELECT * FROM items")
    await _query("SELECT quantity FROM stock")
    with _span("render"):
        await asyncio.sleep(0)
    return {"sku": sku}


@app.post("/orders", status_code=201)
async def create_order(card: str = "valid") -> dict[str, str]:
    """Take an order."""
    with _span("validate cart"):
        await _query("SELECT sku, quantity FROM carts")
    with _span("charge card", **{"payment.provider": "bank.example"}):
        await asyncio.sleep(next(_DELAYS))
        if card != "valid":
            message = f"the card is {card}"
            raise PaymentDeclinedError(message)
    await _query("INSERT INTO orders")
    return {"order": "placed"}


@app.get("/report/{day}")
async def stock_report(day: str) -> dict[str, str]:
    """Report what is in stock, from a consistent view: nobody may change it meanwhile."""
    await _query("SELECT sku, quantity FROM orders")
    with _span("wait for stock lock"):
        await stock_lock.acquire()
    try:
        await _query("SELECT sku, quantity FROM stock")
    finally:
        stock_lock.release()
    with _span("render report"):
        await asyncio.sleep(0.02)
    return {"day": day}


@app.post("/admin/rebuild-index", status_code=202)
async def rebuild_index() -> dict[str, str]:
    """Start to rebuild the search index, which holds the stock lock throughout."""
    task = asyncio.create_task(_rebuild())
    background.add(task)
    task.add_done_callback(background.discard)
    await asyncio.sleep(0)  # the lock is taken before anything else can come in
    return {"rebuild": "started"}


async def _rebuild() -> None:
    with tracer.start_as_current_span("rebuild search index", context=Context()):
        async with stock_lock:
            for number in range(_BATCHES):
                with _span("index batch", batch=number):
                    await asyncio.sleep(_BATCH_SECONDS)
