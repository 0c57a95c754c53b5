"""A service that somebody stops for a moment, as a debugger or a freezer does."""

from __future__ import annotations

import os
import subprocess
import time

from flask import Flask
from switch import IS_FAULTY

app = Flask(__name__)


@app.get("/work")
def work() -> dict[str, str]:
    """Work for a moment, in the middle of which the process is stopped."""
    seconds = "1" if IS_FAULTY else "0"
    stop = f"kill -STOP {os.getpid()}; sleep {seconds}; kill -CONT {os.getpid()}"
    helper = subprocess.Popen(["/bin/sh", "-c", stop if IS_FAULTY else "true"])
    helper.wait(20)
    time.sleep(0.02)
    return {"status": "ok"}


@app.get("/ok")
def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
