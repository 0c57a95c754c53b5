"""A sign-in that hashes the password with far too many rounds, in no span."""

from __future__ import annotations

import hashlib
import time

from fastapi import FastAPI
from opentelemetry import trace
from switch import IS_FAULTY

app = FastAPI()
tracer = trace.get_tracer("shop")
_FEW = 1_000


def hash_password(stored: bytes, rounds: int) -> bytes:
    """Return what a password is compared by."""
    return hashlib.pbkdf2_hmac("sha256", b"password", stored, rounds)


def rounds_in(seconds: float) -> int:
    """Return how many rounds take so long on this machine."""
    begin = time.perf_counter()
    hash_password(b"salt", 20 * _FEW)
    return int(20 * _FEW * seconds / (time.perf_counter() - begin))


_ROUNDS = rounds_in(0.8) if IS_FAULTY else _FEW


@app.get("/sign-in")
def sign_in() -> dict[str, str]:
    """Compare a password."""
    with tracer.start_as_current_span("SELECT user"):
        stored = b"salt"
    found = hash_password(stored, _ROUNDS)
    with tracer.start_as_current_span("INSERT session"):
        return {"session": found.hex()[:8]}


@app.get("/ok")
def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
