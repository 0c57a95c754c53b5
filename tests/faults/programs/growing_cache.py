"""A service in a container of limited memory, with a cache that is never emptied."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from flask import Flask
from switch import IS_FAULTY

app = Flask(__name__)
(Path(os.environ["FAULT_GROUP"]) / "cgroup.procs").write_text(str(os.getpid()))
pages: Final[list[bytearray]] = []


@app.get("/export")
def export() -> dict[str, int]:
    """Export everything, a page at a time."""
    for _ in range(90):
        page = bytearray(b"x") * 2_000_000
        if IS_FAULTY and len(pages) < 90:
            pages.append(page)
        time.sleep(0.02)
    return {"pages": len(pages)}


@app.get("/ok")
def ok() -> dict[str, str]:
    """Do what every service does all the time."""
    return {"status": "ok"}
