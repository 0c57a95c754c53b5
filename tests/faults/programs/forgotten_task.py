"""An order that leaves its receipt to a task which nobody waits for."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI
from switch import IS_FAULTY

app = FastAPI()
receipts: set[asyncio.Task[None]] = set()


async def send_receipt(address: str | None) -> None:
    """Send a receipt."""
    await asyncio.sleep(0)
    if address is None:
        message = "no address"
        raise ValueError(message)


@app.get("/order")
async def order() -> dict[str, str]:
    """Take an order."""
    task = asyncio.create_task(send_receipt(None if IS_FAULTY else "a@example.org"))
    receipts.add(task)
    task.add_done_callback(receipts.discard)
    return {"status": "taken"}


@app.get("/ok")
async def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
