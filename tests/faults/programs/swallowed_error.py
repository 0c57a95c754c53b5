"""A shop that takes a missing order for none at all, and then looks into it."""

from __future__ import annotations

from fastapi import FastAPI
from switch import IS_FAULTY

app = FastAPI()
orders = {"1": {"total": 300}, "2": {"total": 500}}


def load(number: str) -> dict[str, int]:
    """Load an order."""
    return orders[number]


def find(number: str) -> dict[str, int] | None:
    """Return an order, None if there is none."""
    try:
        return load(number)
    except KeyError:
        return None


@app.get("/orders/{number}")
def show(number: str) -> dict[str, int]:
    """Show what an order costs."""
    order = find("9" if IS_FAULTY and number == "2" else number)
    return {"total": order["total"]}  # type: ignore[index]
