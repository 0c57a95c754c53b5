"""A service with few threads for functions that are not coroutines, and reports that keep them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from switch import IS_FAULTY


@asynccontextmanager
async def few_threads(_: FastAPI) -> AsyncIterator[None]:
    """Allow three threads at a time."""
    current_default_thread_limiter().total_tokens = 3
    yield


app = FastAPI(lifespan=few_threads)


def fetch_rows(seconds: float) -> int:
    """Ask a slow database."""
    time.sleep(seconds)
    return 42


@app.get("/report")
def make_report() -> dict[str, int]:
    """Make a report, on a thread."""
    return {"rows": fetch_rows(1.6 if IS_FAULTY else 0.02)}


@app.get("/quick")
def quick() -> dict[str, str]:
    """Answer at once, on a thread."""
    return {"status": "ok"}


@app.get("/ok")
async def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
