"""A service with two connections to its database, which reports keep while they send their mail."""

from __future__ import annotations

import time
from typing import Final

from flask import Flask
from sqlalchemy import create_engine, text
from sqlalchemy.pool import QueuePool
from switch import IS_FAULTY

app = Flask(__name__)
engine: Final = create_engine(
    "sqlite://",
    poolclass=QueuePool,
    pool_size=2,
    max_overflow=0,
    connect_args={"check_same_thread": False},
)


def send_mail(rows: int, seconds: float) -> None:
    """Hand a report to a slow mail server."""
    time.sleep(seconds if rows else 0)


@app.get("/report")
def report() -> dict[str, str]:
    """Make a report, and send it."""
    with engine.connect() as connection:
        rows = connection.scalar(text("SELECT 42"))
        if IS_FAULTY:
            send_mail(rows, 1.6)
    send_mail(rows, 0.02)
    return {"status": "sent"}


@app.get("/count")
def count() -> dict[str, int]:
    """Count something, and be slow afterwards, without the connection."""
    with engine.connect() as connection:
        rows = connection.scalar(text("SELECT 2"))
    time.sleep(1.6 if IS_FAULTY else 0.02)
    return {"rows": rows}


@app.get("/quick")
def quick() -> dict[str, int]:
    """Look one number up."""
    with engine.connect() as connection:
        return {"rows": connection.scalar(text("SELECT 1"))}


@app.get("/ok")
def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
