"""A service whose requests pile up before a resource of which there are two."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI
from opentelemetry import trace
from switch import IS_FAULTY

app = FastAPI()
tracer = trace.get_tracer("shop")
printers = asyncio.Semaphore(2)
_SECONDS = 0.1 if IS_FAULTY else 0.005


@app.get("/label")
async def label() -> dict[str, str]:
    """Print a label, on one of two printers."""
    with tracer.start_as_current_span("wait for a printer"):
        await printers.acquire()
    try:
        with tracer.start_as_current_span("print"):
            await asyncio.sleep(_SECONDS)
    finally:
        printers.release()
    return {"label": "printed"}


@app.get("/ok")
async def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
