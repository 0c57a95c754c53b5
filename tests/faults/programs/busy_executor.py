"""A service that draws on two threads of its own, which a few reports keep busy."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from fastapi import FastAPI
from switch import IS_FAULTY

app = FastAPI()
pool: Final = ThreadPoolExecutor(2, thread_name_prefix="thumbnails")


def draw(seconds: float) -> int:
    """Draw a picture, in a library that takes its time."""
    time.sleep(seconds)
    return 64


@app.get("/report")
async def make_report() -> dict[str, int]:
    """Make a report with a large picture."""
    seconds = 1.6 if IS_FAULTY else 0.02
    return {"size": await asyncio.get_running_loop().run_in_executor(pool, draw, seconds)}


@app.get("/quick")
async def quick() -> dict[str, int]:
    """Draw a small picture."""
    return {"size": await asyncio.get_running_loop().run_in_executor(pool, draw, 0.001)}


@app.get("/ok")
async def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
