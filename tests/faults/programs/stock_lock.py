"""A nightly job that holds a lock for long, and an order that has to wait for it."""

from __future__ import annotations

import threading

from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.context import Context
from switch import IS_FAULTY

app = FastAPI()
tracer = trace.get_tracer("shop")
stock_lock = threading.Lock()
_HELD_SECONDS = 0.8 if IS_FAULTY else 0.01


def recount(is_held: threading.Event) -> None:
    """Count the stock anew, with nobody allowed to change it meanwhile."""
    with tracer.start_as_current_span("recount stock", context=Context()), stock_lock:
        is_held.set()
        threading.Event().wait(_HELD_SECONDS)


@app.get("/order")
def order() -> dict[str, str]:
    """Take an order, while the nightly job runs."""
    is_held = threading.Event()
    job = threading.Thread(target=recount, args=(is_held,))
    job.start()
    is_held.wait(10)
    with tracer.start_as_current_span("reserve stock"), stock_lock:
        pass
    job.join(10)
    return {"order": "placed"}


@app.get("/ok")
def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    with tracer.start_as_current_span("reserve stock"), stock_lock:
        pass
    return {"status": "ok"}
