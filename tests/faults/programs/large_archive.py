"""A download of which everything is compressed for each who asks, with the strongest setting."""

from __future__ import annotations

import random
import time
import zlib

from fastapi import FastAPI
from opentelemetry import trace
from switch import IS_FAULTY

app = FastAPI()
tracer = trace.get_tracer("shop")
_INVOICE = random.Random(1).randbytes(100_000)


def compress(invoices: int) -> int:
    """Return the size of an archive of so many invoices."""
    packer = zlib.compressobj(9)
    return sum(len(packer.compress(_INVOICE)) for _ in range(invoices)) + len(packer.flush())


def invoices_in(seconds: float) -> int:
    """Return how many invoices are compressed in so long on this machine."""
    begin = time.perf_counter()
    compress(5)
    return int(5 * seconds / (time.perf_counter() - begin))


_INVOICES = invoices_in(0.8) if IS_FAULTY else 1


@app.get("/archive")
def archive() -> dict[str, int]:
    """Return all invoices."""
    with tracer.start_as_current_span("list invoices"):
        pass
    with tracer.start_as_current_span("compress invoices"):
        return {"size": compress(_INVOICES)}


@app.get("/ok")
def ok() -> dict[str, int]:
    """Do what every service does all the time."""
    with tracer.start_as_current_span("compress invoices"):
        return {"size": compress(1)}
