"""The service whose requests are recorded: FastAPI with SQLAlchemy and another service behind it.

Handlers run in threads and read a database file through a pool of connections, so that requests
wait for each other as they do in services. What its instrumentation measures is what is recorded.
"""

from __future__ import annotations

import random
import time
import urllib.request
from pathlib import Path
from typing import Any, Final

import sqlalchemy
import uvicorn
from fastapi import FastAPI
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from sqlalchemy import Engine, text

from benchmarks.measuring import child_process

FAULTS: Final = ("lock", "pool", "loop")
"""What can go wrong in the service itself: a lock of the database is held, or all its connections
are, or the event loop is blocked."""
FAULT_SECONDS: Final = 1.5
HOUR_PATH: Final = "/hour"
ROOTS_PATH: Final = "/roots"
_ITEMS: Final = 40_000
_CONNECTIONS: Final = 5
_PATIENCE_SECONDS: Final = 30.0


class _Roots(SpanProcessor):
    """Keeps of each local root when it ended, how long it took, and its name."""

    def __init__(self) -> None:
        self.ended: list[tuple[float, float, str]] = []

    def on_end(self, span: ReadableSpan) -> None:
        if (span.parent is None or span.parent.is_remote) and span.end_time and span.start_time:
            taken = span.end_time - span.start_time
            self.ended.append((span.end_time / 1e9, taken / 1e9, span.name))


def _open_shop(file: Path) -> Engine:
    engine = sqlalchemy.create_engine(
        f"sqlite:///{file}",
        pool_size=_CONNECTIONS,
        max_overflow=0,
        pool_timeout=_PATIENCE_SECONDS,
        connect_args={"timeout": _PATIENCE_SECONDS, "check_same_thread": False},
    )
    rng = random.Random(1)
    words = ["lamp", "chair", "table", "shelf", "clock", "desk", "stool", "mirror"]
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE item (id INTEGER PRIMARY KEY, name, price)")
        connection.exec_driver_sql("CREATE TABLE sale (id INTEGER PRIMARY KEY, item, amount)")
        rows = [(n, " ".join(rng.choices(words, k=12)), rng.randrange(500)) for n in range(_ITEMS)]
        connection.exec_driver_sql("INSERT INTO item VALUES (?, ?, ?)", rows)
    return engine


def _add_routes(app: FastAPI, engine: Engine, downstream: str) -> None:
    catalog: list[list[Any]] = []

    def rows(statement: str, **values: object) -> list[list[Any]]:
        with engine.connect() as connection:
            return [list(row) for row in connection.execute(text(statement), values)]

    @app.get("/orders/{order_id}")
    def read_order(order_id: int) -> list[Any]:
        found = "SELECT name, price FROM item WHERE id = :id"
        return [rows(found, id=(order_id * step) % _ITEMS) for step in (1, 7, 13)]

    @app.get("/search")
    def search(word: str) -> list[Any]:
        return rows("SELECT id FROM item WHERE name LIKE :word LIMIT 300", word=f"%{word}%")

    @app.post("/orders")
    def order() -> dict[str, str]:
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO sale (item, amount) VALUES (7, 1)"))
        return {"is": "ordered"}

    @app.get("/catalog")
    def read_catalog() -> list[Any]:
        """Be slow once an hour."""
        if not catalog:
            catalog.extend(rows("SELECT name, count(*), avg(price) FROM item GROUP BY name"))
        return catalog[:10]

    @app.get("/price/{item}")
    def price(item: int) -> str:
        with urllib.request.urlopen(f"{downstream}/{item}", timeout=_PATIENCE_SECONDS) as answer:
            return str(answer.read(), "utf-8")

    @app.post(HOUR_PATH)
    def begin_hour() -> dict[str, str]:
        catalog.clear()
        return {"is": "another hour"}


def _add_faults(app: FastAPI, engine: Engine) -> None:
    def hold_lock() -> None:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN EXCLUSIVE")
            time.sleep(FAULT_SECONDS)

    def hold_connections() -> None:
        held = [engine.connect() for _ in range(_CONNECTIONS)]
        time.sleep(FAULT_SECONDS)
        for connection in held:
            connection.close()

    @app.post("/faults/lock")
    def lock() -> None:
        hold_lock()

    @app.post("/faults/pool")
    def pool() -> None:
        hold_connections()

    @app.post("/faults/loop")
    async def loop() -> None:
        time.sleep(FAULT_SECONDS)  # noqa: ASYNC251 - it is the fault


def serve(*, port: int, directory: str, downstream: str) -> dict[str, Any]:
    """Serve until killed."""
    provider = TracerProvider(shutdown_on_exit=False)
    roots = _Roots()
    provider.add_span_processor(roots)
    engine = _open_shop(Path(directory) / "shop.sqlite")
    app = FastAPI()
    _add_routes(app, engine, downstream)
    _add_faults(app, engine)

    @app.get(ROOTS_PATH)
    def ended() -> list[tuple[float, float, str]]:
        return roots.ended

    FastAPIInstrumentor.instrument_app(
        app, tracer_provider=provider, excluded_urls="hour,roots,faults"
    )
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)
    return {}


if __name__ == "__main__":
    child_process.answer(serve)
