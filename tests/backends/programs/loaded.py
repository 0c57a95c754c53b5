"""An ASGI application whose requests make as many and as large spans as a test needs.

`/orders` makes LOADED_CHILDREN spans besides its own, each with a text of LOADED_TEXT_BYTES;
`/large/N` makes one with a text of N bytes; `/fail` fails. To be started under
opentelemetry-instrument.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

from opentelemetry import trace

tracer = trace.get_tracer("loaded")
children = int(os.environ.get("LOADED_CHILDREN", "10"))
# Not the same byte over and over, so that no compression makes it small.
text = os.urandom(64 * 1024).hex()
child_text = text[: int(os.environ.get("LOADED_TEXT_BYTES", "20"))]


def serve(path: str) -> None:
    """Do what a path stands for, within spans."""
    with tracer.start_as_current_span(f"GET {path}"):
        if path == "/orders":
            for number in range(children):
                tracer.start_span("query", attributes={"number": number, "text": child_text}).end()
        elif path.startswith("/large/"):
            large = text[: int(path.rpartition("/")[2])]
            tracer.start_span("large", attributes={"text": large}).end()
        elif path == "/fail":
            raise ValueError("broken")


async def application(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Serve a request."""
    if scope["type"] != "http":
        return
    status = 200
    try:
        serve(scope["path"])
    except ValueError:
        status = 500
    headers = [(b"content-length", b"0")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
