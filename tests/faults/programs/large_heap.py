"""A service with a large cache on its heap, and a handler that asks for a full collection."""

from __future__ import annotations

import gc
from typing import Final

from flask import Flask
from switch import IS_FAULTY

app = Flask(__name__)
cache: Final = [{"id": number, "tags": [number]} for number in range(1_200_000)]
if not IS_FAULTY:
    gc.freeze()


def evict() -> int:
    """Make room, and let the collector look at all of the cache for it."""
    return gc.collect()


@app.get("/evict")
def answer_evict() -> dict[str, int]:
    """Make room in the cache."""
    return {"collected": evict()}


@app.get("/ok")
def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
