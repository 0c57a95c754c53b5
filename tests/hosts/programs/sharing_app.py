"""The service of Flask, which also uses shared memory."""

from __future__ import annotations

import time
from multiprocessing.shared_memory import SharedMemory

from flask_app import app

__all__ = ["app"]


@app.get("/nap")
def nap() -> str:
    """Keep a worker busy, so that the others have something to do."""
    time.sleep(0.2)
    return "slept"


@app.get("/share/<int:mebibytes>")
def share(mebibytes: int) -> str:
    """Fill shared memory, which is an error of the bus where there is none left."""
    memory = SharedMemory(create=True, size=mebibytes << 20)
    content = memory.buf
    assert content is not None
    try:
        content[:] = b"\x01" * len(content)
        return f"{sum(content[:: 1 << 16])} pages"
    finally:
        del content  # which would keep it open
        memory.close()
        memory.unlink()
