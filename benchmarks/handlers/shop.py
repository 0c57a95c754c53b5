"""The database that the handlers with SQLAlchemy read, traced."""

from __future__ import annotations

import sqlalchemy
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from sqlalchemy import Engine
from sqlalchemy.pool import StaticPool

ROWS = 3
_QUERY = sqlalchemy.text("SELECT price FROM item WHERE id = :id")


def open_shop() -> Engine:
    """Return a database with a few items, whose queries make spans."""
    engine = sqlalchemy.create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    SQLAlchemyInstrumentor().instrument(engine=engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE item (id INTEGER PRIMARY KEY, price INTEGER)")
        for number in range(ROWS):
            connection.exec_driver_sql("INSERT INTO item VALUES (?, ?)", (number, number))
    return engine


def total_of(engine: Engine) -> int:
    """Return what all items cost, asking for one after the other."""
    with engine.connect() as connection:
        return sum(
            connection.execute(_QUERY, {"id": number}).scalar_one() for number in range(ROWS)
        )
