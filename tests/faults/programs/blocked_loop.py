"""A service that computes its report on the event loop: every other request waits meanwhile."""

from __future__ import annotations

import asyncio
import hashlib
import time

from fastapi import FastAPI
from switch import IS_FAULTY

app = FastAPI()


def compute(seconds: float) -> str:
    """Work hard for that long."""
    digest = hashlib.sha256()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        digest.update(b"a line of the report")
    return digest.hexdigest()


@app.get("/report")
async def make_report() -> dict[str, str]:
    """Make a report, which takes a while."""
    if IS_FAULTY:
        return {"digest": compute(1.4)}
    await asyncio.sleep(0.1)
    return {"digest": compute(0.01)}


@app.get("/ok")
async def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    await asyncio.sleep(0.1)
    return {"status": "ok"}
