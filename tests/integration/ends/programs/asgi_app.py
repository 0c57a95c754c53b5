"""An ASGI application without a framework: `/fail` fails, every other path is fine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from opentelemetry import trace

tracer = trace.get_tracer("app")


async def application(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Serve a request within a span."""
    if scope["type"] != "http":
        return
    status = 200
    try:
        with tracer.start_as_current_span(f"GET {scope['path']}"):
            if scope["path"] == "/fail":
                raise ValueError("broken")
    except ValueError:
        status = 500
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b""})
