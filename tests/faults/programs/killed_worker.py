"""A service of which one request has its worker killed; another worker takes its place."""

from __future__ import annotations

import os
import signal
import threading
import time

from flask import Flask
from switch import IS_FAULTY

app = Flask(__name__)


def render(seconds: float) -> None:
    """Render the report, for which there is not enough memory, say."""
    time.sleep(seconds)


@app.get("/report")
def report() -> dict[str, str]:
    """Make a report."""
    if IS_FAULTY:
        kill = threading.Timer(1.2, os.kill, (os.getpid(), signal.SIGKILL))
        kill.daemon = True
        kill.start()
        render(5)
    return {"status": "done"}


@app.get("/ok")
def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
