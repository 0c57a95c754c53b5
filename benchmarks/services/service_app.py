"""The service that is measured: FastAPI, eleven spans a request, with one variant keeping them.

The server span and the two `http send` spans are the FastAPI instrumentation's own, the other eight
are made in the handler. As a program it serves over uvicorn until killed.
"""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path
from time import monotonic, process_time
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio

from benchmarks.measuring import child_process, cores, variants
from benchmarks.measuring.variants import Surroundings, Variant

SPANS_PER_REQUEST = 11
WORK_PATH = "/orders/7"
BROKEN_PATH = "/broken"
"""Works as much as the other, then answers with an error."""
HEALTH_PATH = "/health"
SETTLE_PATH = "/settle"
HELD_PATH = "/held"
FLUSH_PATH = "/flush"
COLLECT_PATH = "/collect"
_UNTRACED = "health,settle,held,flush,collect"
_ITEMS = 4


def build_app(provider: TracerProvider, variant: Variant) -> FastAPI:
    """Return the instrumented application."""
    app = FastAPI()
    tracer = provider.get_tracer("shop.orders", "1.0")

    def total_of(order_id: int) -> int:
        total = 0
        for item in range(_ITEMS):
            with tracer.start_as_current_span(
                "SELECT items",
                attributes={
                    "db.system.name": "postgresql",
                    "db.query.text": "SELECT price FROM items WHERE order_id = %s AND item = %s",
                    "db.namespace": "shop",
                    "app.item": item,
                },
            ) as span:
                with tracer.start_as_current_span("price item") as child:
                    total += order_id * item
                    child.set_attribute("app.price", total)
                span.set_attribute("db.response.returned_rows", 1)
        return total

    @app.get("/orders/{order_id}")
    async def read_order(order_id: int) -> dict[str, Any]:
        return {"order": order_id, "total": total_of(order_id)}

    @app.get(BROKEN_PATH)
    async def broken() -> None:
        raise HTTPException(500, f"a total of {total_of(7)} cannot be")

    @app.get(HEALTH_PATH)
    async def health() -> dict[str, bool]:
        return {"ok": True}

    @app.get(SETTLE_PATH)
    async def settle() -> dict[str, float]:
        # In a thread: this waits for an exporter, and the loop must not.
        await asyncio.to_thread(provider.force_flush)
        return {"cpu_seconds": process_time()}

    @app.get(HELD_PATH)
    async def held() -> dict[str, int | None]:
        return {"spans": variant.held_spans()}

    @app.get(FLUSH_PATH)
    async def flush() -> dict[str, float]:
        begin = monotonic()
        variant.flush()
        return {"begin": begin}

    @app.get(COLLECT_PATH)
    async def collect() -> dict[str, int]:
        return {"found": gc.collect()}

    FastAPIInstrumentor.instrument_app(app, tracer_provider=provider, excluded_urls=_UNTRACED)
    return app


def serve(
    *,
    variant: str,
    port: int,
    directory: str,
    endpoint: str | None,
    settings: dict[str, Any] | None = None,
    sampled_share: float | None = None,
) -> dict[str, Any]:
    """Serve on the application's core until killed."""
    cores.pin(cores.APPLICATION)
    sampler = None if sampled_share is None else ParentBasedTraceIdRatio(sampled_share)
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    surroundings = Surroundings(directory=Path(directory), endpoint=endpoint, settings=settings)
    app = build_app(provider, variants.open_variant(variant, surroundings, provider))
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)
    return {}


if __name__ == "__main__":
    child_process.answer(serve)
