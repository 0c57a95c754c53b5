"""The service behind: it has what the storefront asks for, fails, or keeps it waiting."""

from __future__ import annotations

import asyncio
import sys

from tests.backends.programs.service import tracer, witnessed

app = witnessed()
released = asyncio.Event()


@app.get("/stock/{number}")
async def stock(number: int) -> str:
    """Return how much there is."""
    with tracer("warehouse").start_as_current_span("query", attributes={"number": number}) as span:
        span.add_event("row", {"id": number, "columns": ("a", "b")})
        return f"{number} in stock"


@app.get("/broken")
async def broken() -> str:
    """Fail."""
    raise LookupError("no such shelf")


@app.get("/worse")
async def worse() -> str:
    """Fail in another way."""
    raise ValueError("less than nothing in stock")


@app.get("/wait")
async def wait() -> str:
    """Wait for `POST /release`."""
    sys.stdout.write("waiting\n")
    sys.stdout.flush()
    await released.wait()
    return "done"


@app.post("/release")
async def release() -> None:
    """Let go who waits; excluded from tracing, see two_services.py."""
    released.set()
