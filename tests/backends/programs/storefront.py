"""The service in front: each order asks the warehouse, over HTTP. Environment: WAREHOUSE_URL."""

from __future__ import annotations

import os

import httpx
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode, TraceFlags
from opentelemetry.trace.span import TraceState
from opentelemetry.util.types import AttributeValue

from tests.backends.programs.service import tracer, witnessed

PARTNER = SpanContext(
    0xABCDEF0123456789ABCDEF0123456789,
    0x1234,
    is_remote=True,
    trace_flags=TraceFlags(0),
    trace_state=TraceState([("vendor", "x:1"), ("other", "y")]),
)
ATTRIBUTES: dict[str, AttributeValue] = {
    "text": "größe ✓",
    "int": -(1 << 63),
    "float": 0.1,
    "bool": True,
    "texts": ("a", "b"),
    "ints": (1, 2, 3),
    "floats": (1.5,),
    "bools": (True, False),
}

app = witnessed()
warehouse = httpx.AsyncClient(
    base_url=os.environ["WAREHOUSE_URL"], trust_env=False, timeout=httpx.Timeout(None)
)


async def ask(path: str) -> str:
    """Return the warehouse's answer; its failure is ours."""
    answer = await warehouse.get(path)
    answer.raise_for_status()
    return answer.text


@app.get("/orders/{number}")
async def order(number: int) -> str:
    """Return an order, by way of spans that have everything a span can have."""
    links = [Link(PARTNER, {"why": "batch"})]
    with tracer("storefront").start_as_current_span(
        "load order", kind=SpanKind.INTERNAL, attributes=ATTRIBUTES, links=links
    ) as span:
        span.set_attribute("order.number", number)
        span.add_event("cache miss", {"key": f"order-{number}", "size": 1})
        found = await ask(f"/stock/{number}")
        span.set_status(StatusCode.OK)
    return found


@app.get("/broken")
async def broken() -> str:
    """Fail, because the warehouse does."""
    return await ask("/broken")


@app.get("/worse")
async def worse() -> str:
    """Fail in another way."""
    return await ask("/worse")


@app.get("/wait")
async def wait() -> str:
    """Wait for the warehouse until that is let go."""
    return await ask("/wait")
