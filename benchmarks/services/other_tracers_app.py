"""The service of `service_app`, traced by one tracer with its own instrumentation and its own API.

As a program it serves over uvicorn until killed.
"""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from time import process_time
from typing import Any, Final, NamedTuple

import uvicorn
from fastapi import FastAPI
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from benchmarks.measuring import child_process, cores, variants
from benchmarks.services.service_app import HEALTH_PATH, SETTLE_PATH, WORK_PATH

LOGFIRE: Final = "logfire"
SENTRY: Final = "sentry-sdk"
DATADOG: Final = "ddtrace"
UNTRACED: Final = "no tracer"

_UNTRACED_PATHS: Final = frozenset({HEALTH_PATH, SETTLE_PATH})
_UNTRACED_URLS: Final = "health,settle"
_ITEMS: Final = 4
_ATTRIBUTES: Final[Mapping[str, Any]] = {
    "db.system.name": "postgresql",
    "db.query.text": "SELECT price FROM items WHERE order_id = %s AND item = %s",
    "db.namespace": "shop",
}


class Tracing(NamedTuple):
    """What a service needs of a tracer.

    Attributes:
        span: Return a context manager that makes a span with these attributes the current one.
        set_value: Give a span an attribute.
        instrument: Let the application's requests be traced.
        flush: Send what waits to be sent.
    """

    span: Callable[[str, Mapping[str, Any]], Any]
    set_value: Callable[[Any, str, Any], object]
    instrument: Callable[[FastAPI], object]
    flush: Callable[[], object]


def _of_sdk(variant: str, directory: Path, endpoint: str) -> Tracing:
    provider = TracerProvider(shutdown_on_exit=False)
    surroundings = variants.Surroundings(directory=directory, endpoint=endpoint)
    variants.open_variant(variant, surroundings, provider)
    tracer = provider.get_tracer("shop.orders", "1.0")
    return Tracing(
        span=lambda name, given: tracer.start_as_current_span(name, attributes=given),
        set_value=lambda span, key, value: span.set_attribute(key, value),
        instrument=lambda app: FastAPIInstrumentor.instrument_app(
            app, tracer_provider=provider, excluded_urls=_UNTRACED_URLS
        ),
        flush=provider.force_flush,
    )


def _of_logfire(endpoint: str) -> Tracing:
    logfire: Any = importlib.import_module("logfire")
    exporting = BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces"))
    configured = logfire.configure(
        send_to_logfire=False,
        console=False,
        inspect_arguments=False,
        additional_span_processors=[exporting],
    )
    return Tracing(
        span=lambda name, given: logfire.span(name, **given),
        set_value=lambda span, key, value: span.set_attribute(key, value),
        instrument=lambda app: logfire.instrument_fastapi(app, excluded_urls=_UNTRACED_URLS),
        flush=configured.force_flush,
    )


def _of_sentry(endpoint: str) -> Tracing:
    sentry: Any = importlib.import_module("sentry_sdk")

    def sampled_share(context: Mapping[str, Any]) -> float:
        return (context.get("asgi_scope") or {}).get("path") not in _UNTRACED_PATHS

    def span_of(name: str, given: Mapping[str, Any]) -> Any:
        span = sentry.start_span(op="db", name=name)
        for key, value in given.items():
            span.set_data(key, value)
        return span

    dsn = endpoint.replace("http://", "http://key@") + "/1"
    sentry.init(dsn=dsn, traces_sampler=sampled_share)
    return Tracing(
        span=span_of,
        set_value=lambda span, key, value: span.set_data(key, value),
        instrument=lambda _: None,  # it has done so
        flush=sentry.flush,
    )


def _of_datadog(endpoint: str) -> Tracing:
    os.environ["DD_TRACE_AGENT_URL"] = endpoint
    for quiet in ("INSTRUMENTATION_TELEMETRY", "REMOTE_CONFIGURATION"):
        os.environ[f"DD_{quiet}_ENABLED"] = "false"
    importlib.import_module("ddtrace").patch(fastapi=True, starlette=True)
    tracer: Any = importlib.import_module("ddtrace.trace").tracer

    def span_of(name: str, given: Mapping[str, Any]) -> Any:
        span = tracer.trace(name)
        for key, value in given.items():
            span.set_tag(key, value)
        return span

    return Tracing(
        span=span_of,
        set_value=lambda span, key, value: span.set_tag(key, value),
        instrument=lambda _: None,  # it has done so
        flush=tracer.flush,
    )


_OTHERS: Final[Mapping[str, Callable[[str], Tracing]]] = {
    LOGFIRE: _of_logfire,
    SENTRY: _of_sentry,
    DATADOG: _of_datadog,
}


def _build_app(tracing: Tracing | None) -> FastAPI:
    app = FastAPI()

    @app.get(WORK_PATH.replace("7", "{order_id}"))
    async def read_order(order_id: int) -> dict[str, int]:
        total = 0
        for item in range(_ITEMS):
            if tracing is None:
                total += order_id * item
                continue
            with tracing.span("SELECT items", {**_ATTRIBUTES, "app.item": item}) as span:
                with tracing.span("price item", {}) as child:
                    total += order_id * item
                    tracing.set_value(child, "app.price", total)
                tracing.set_value(span, "db.response.returned_rows", 1)
        return {"order": order_id, "total": total}

    @app.get(HEALTH_PATH)
    async def health() -> dict[str, bool]:
        return {"ok": True}

    @app.get(SETTLE_PATH)
    async def settle() -> dict[str, float]:
        if tracing is not None:
            await asyncio.to_thread(tracing.flush)
        return {"cpu_seconds": process_time()}

    if tracing is not None:
        tracing.instrument(app)
    return app


def serve(*, tracer: str, port: int, directory: str, endpoint: str) -> dict[str, Any]:
    """Serve on the application's core until killed."""
    cores.pin(cores.APPLICATION)
    tracing: Tracing | None = None
    if tracer in _OTHERS:
        tracing = _OTHERS[tracer](endpoint)
    elif tracer != UNTRACED:
        tracing = _of_sdk(tracer, Path(directory), endpoint)
    app = _build_app(tracing)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)
    return {}


if __name__ == "__main__":
    child_process.answer(serve)
