"""A product page that asks the inventory, which has become slow for a moment."""

from __future__ import annotations

import threading

from answering import ask, serve
from fastapi import FastAPI
from switch import IS_FAULTY

app = FastAPI()


def inventory(path: str) -> int:
    """Answer, and take half a second for what is asked once."""
    if IS_FAULTY and path == "/stock/rare":
        threading.Event().wait(0.5)
    return 200


def reviews(path: str) -> int:
    """Answer at once."""
    return 200


_INVENTORY, _REVIEWS = serve(inventory), serve(reviews)


def show(sku: str) -> dict[str, int]:
    """Put a page together."""
    return {"reviews": ask(_REVIEWS, f"/{sku}"), "stock": ask(_INVENTORY, f"/stock/{sku}")}


@app.get("/rare")
def rare() -> dict[str, int]:
    """Show what hardly anyone asks for."""
    return show("rare")


@app.get("/ok")
def ok() -> dict[str, int]:
    """Show what everyone asks for."""
    return show("common")
