"""A payment that is tried three times, with a pause in between: the bank answers late."""

from __future__ import annotations

import itertools
import threading
from typing import Final

from answering import ask, serve
from fastapi import FastAPI
from opentelemetry import trace
from switch import IS_FAULTY

_PATIENCE_SECONDS: Final = 0.25
_PAUSE_SECONDS: Final = 0.1

app = FastAPI()
tracer = trace.get_tracer("shop")
asked = itertools.count(1)


def bank(path: str) -> int:
    """Answer too late, but for every third time."""
    if IS_FAULTY and next(asked) % 3:
        threading.Event().wait(2 * _PATIENCE_SECONDS)
    return 200


_BANK = serve(bank)


@app.get("/pay")
def pay() -> dict[str, int]:
    """Pay, and be patient."""
    with tracer.start_as_current_span("charge card"):
        for _ in range(2):
            try:
                return {"status": ask(_BANK, "/charge", _PATIENCE_SECONDS)}
            except TimeoutError:
                threading.Event().wait(_PAUSE_SECONDS)
        return {"status": ask(_BANK, "/charge", _PATIENCE_SECONDS)}


@app.get("/ok")
def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
