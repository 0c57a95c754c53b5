"""A small warehouse. Booking goods out fails when there are not enough: a real bug to look at."""

from __future__ import annotations

import time

from flask import Flask
from flask.typing import ResponseReturnValue
from opentelemetry import trace

app = Flask(__name__)
tracer = trace.get_tracer("warehouse")
stock = {"bolts": 12, "nuts": 3}


@app.get("/stock")
def show_stock() -> ResponseReturnValue:
    """Return what is there."""
    with tracer.start_as_current_span("read stock"):
        return dict(stock)


@app.post("/book/<goods>/<int:number>")
def book(goods: str, number: int) -> ResponseReturnValue:
    """Book goods out, without asking whether there are enough."""
    with tracer.start_as_current_span("reserve", attributes={"goods": goods, "number": number}):
        time.sleep(0.002)
    with tracer.start_as_current_span("write stock"):
        left = stock[goods] - number
        if left < 0:
            message = f"{goods} would be {left}"
            raise ArithmeticError(message)
        stock[goods] = left
    return {"left": left}
