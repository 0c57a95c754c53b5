"""A task of Celery that reads with SQLAlchemy, run as a worker's process runs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery import Celery
from opentelemetry.instrumentation.celery import CeleryInstrumentor

from benchmarks.handlers.shop import open_shop, total_of


def open_handler() -> Callable[[], object]:
    """Return what runs one task."""
    engine = open_shop()
    app = Celery("shop", broker="memory://", backend="cache+memory://")
    instrumentor: Any = CeleryInstrumentor
    instrumentor().instrument()

    @app.task(name="shop.total")  # type: ignore[untyped-decorator]
    def total(order_id: int) -> int:
        return total_of(engine) + order_id

    def work() -> None:
        result = total.apply(args=(7,))
        if not result.successful():
            raise RuntimeError(result.traceback)

    return work
