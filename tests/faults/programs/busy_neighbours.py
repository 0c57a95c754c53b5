"""A service whose one processor other programs keep busy too, so that it has to queue for it."""

from __future__ import annotations

import os
import subprocess
import time

from flask import Flask
from switch import IS_FAULTY

app = Flask(__name__)
_NEIGHBOURS = 4
_COMPUTE = "while kill -0 {pid}; do n=0; while [ $n -lt 99999 ]; do n=$((n+1)); done; done"

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
if IS_FAULTY:
    for _ in range(_NEIGHBOURS):
        subprocess.Popen(["/bin/sh", "-c", _COMPUTE.format(pid=os.getpid())])


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
    return {"rows": render(0.25)}


@app.get("/ok")
def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
