"""A sign-in that hashes the password with far too many rounds, in no span."""

from __future__ import annotations

import hashlib

from fastapi import FastAPI
from opentelemetry import trace
from switch import IS_FAULTY

app = FastAPI()
tracer = trace.get_tracer("shop")
_ROUNDS = 800_000 if IS_FAULTY else 1_000


@app.get("/sign-in")
def sign_in() -> dict[str, str]:
    """Compare a password."""
    with tracer.start_as_current_span("SELECT user"):
        stored = b"salt"
    found = hashlib.pbkdf2_hmac("sha256", b"password", stored, _ROUNDS)
    with tracer.start_as_current_span("INSERT session"):
        return {"session": found.hex()[:8]}


@app.get("/ok")
def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
