"""A service whose container may use a tenth of a processor, which its work needs all of."""

from __future__ import annotations

import os
import time
from pathlib import Path

from flask import Flask
from switch import IS_FAULTY

app = Flask(__name__)
if IS_FAULTY:
    (Path(os.environ["FAULT_GROUP"]) / "cgroup.procs").write_text(str(os.getpid()))


def render(seconds: float) -> int:
    """Compute for so much processor time."""
    rows = 0
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        rows += 1
    return rows


@app.get("/report")
def report() -> dict[str, int]:
    """Render a report."""
    return {"rows": render(0.1)}


@app.get("/year")
def year() -> dict[str, int]:
    """Render the report of a year."""
    return {"rows": render(0.8)}


@app.get("/ok")
def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
