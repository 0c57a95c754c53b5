"""A checkout whose payment is refused for a reason three layers below, wrapped on its way up."""

from __future__ import annotations

from fastapi import FastAPI
from opentelemetry import trace
from switch import IS_FAULTY

app = FastAPI()
tracer = trace.get_tracer("shop")


class PaymentError(Exception):
    """What the shop makes of whatever went wrong with a payment."""


def read_key(name: str) -> str:
    """Return a secret."""
    keys = {} if IS_FAULTY else {"bank": "secret"}
    return keys[name]


def sign(amount: int) -> str:
    """Sign a payment."""
    with tracer.start_as_current_span("sign payment"):
        return f"{amount}:{read_key('bank')}"


def charge(amount: int) -> str:
    """Charge a card."""
    with tracer.start_as_current_span("charge card"):
        try:
            return sign(amount)
        except LookupError as error:
            message = "the payment could not be made"
            raise PaymentError(message) from error


@app.get("/checkout")
def checkout() -> dict[str, str]:
    """Take an order."""
    with tracer.start_as_current_span("validate cart"):
        pass
    return {"payment": charge(100)}


@app.get("/ok")
def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
