"""A handler of FastAPI that reads with SQLAlchemy, called as a server calls it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

from benchmarks.handlers.shop import open_shop, total_of

_SCOPE: dict[str, Any] = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": "/orders/7",
    "raw_path": b"/orders/7",
    "query_string": b"",
    "root_path": "",
    "headers": [(b"host", b"shop.internal"), (b"user-agent", b"shop-app/1.1")],
    "server": ("127.0.0.1", 80),
    "client": ("127.0.0.1", 40000),
}


def open_handler() -> Callable[[], object]:
    """Return what serves one request."""
    engine = open_shop()
    app = FastAPI()

    @app.get("/orders/{order_id}")
    async def read_order(order_id: int) -> dict[str, int]:
        return {"order": order_id, "total": total_of(engine)}

    FastAPIInstrumentor.instrument_app(app)
    loop = asyncio.new_event_loop()
    statuses: set[int] = set()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        statuses.add(message.get("status", 200))

    def serve() -> None:
        loop.run_until_complete(app({**_SCOPE, "state": {}}, receive, send))
        if statuses != {200}:
            raise RuntimeError(statuses)

    return serve
