"""A WSGI application without a framework: `/fail` fails, every other path says who served it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from opentelemetry import trace

tracer = trace.get_tracer("app")


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Serve a request within a span."""
    path = environ["PATH_INFO"]
    try:
        with tracer.start_as_current_span(f"GET {path}"):
            tracer.start_span("query").end()
            if path == "/fail":
                raise ValueError("broken")
    except ValueError:
        start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
        return [str(os.getpid()).encode()]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
