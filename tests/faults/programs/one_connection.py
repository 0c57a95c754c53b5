"""A service that asks another one over a single connection, which a slow question keeps."""

from __future__ import annotations

import time
from typing import Final

import requests
from answering import serve
from flask import Flask
from requests.adapters import HTTPAdapter
from switch import IS_FAULTY

app = Flask(__name__)


def answer(path: str) -> int:
    """Answer a question, in time or not."""
    time.sleep(1.6 if IS_FAULTY and path == "/history" else 0.01)
    return 200


port: Final = serve(answer)
session: Final = requests.Session()
session.mount("http://", HTTPAdapter(pool_maxsize=1, pool_block=True))


def ask(path: str) -> int:
    """Ask the other service."""
    return session.get(f"http://127.0.0.1:{port}{path}", timeout=10).status_code


@app.get("/history")
def history() -> dict[str, int]:
    """Ask for all rates there ever were."""
    return {"status": ask("/history")}


@app.get("/rate")
def rate() -> dict[str, int]:
    """Ask for the rate of today."""
    return {"status": ask("/rate")}


@app.get("/ok")
def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
