"""A download that is compressed as a whole, with the strongest setting, for whoever asks."""

from __future__ import annotations

import random
import zlib

from fastapi import FastAPI
from opentelemetry import trace
from switch import IS_FAULTY

app = FastAPI()
tracer = trace.get_tracer("shop")
_DATA = random.Random(1).randbytes(12_000_000 if IS_FAULTY else 40_000)


@app.get("/archive")
def archive() -> dict[str, int]:
    """Return all invoices."""
    with tracer.start_as_current_span("list invoices"):
        pass
    with tracer.start_as_current_span("compress invoices"):
        size = len(zlib.compress(_DATA, 9))
    return {"size": size}


@app.get("/ok")
def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    with tracer.start_as_current_span("compress invoices"):
        size = len(zlib.compress(_DATA[:10_000], 9))
    return {"size": str(size)}
