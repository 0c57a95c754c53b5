"""One variant in a process of its own: what 100,000 spans of the service leave behind.

The service's application is called without a server, so that nothing but spans is added to the
process while they pass through.
"""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

from fastapi import FastAPI
from opentelemetry.sdk.trace import TracerProvider

from benchmarks.measuring import child_process, variants
from benchmarks.measuring.receiver_process import open_counts, wait_until_quiet
from benchmarks.measuring.variants import Surroundings
from benchmarks.services.service_app import SPANS_PER_REQUEST, WORK_PATH, build_app

_WARM_UP_REQUESTS = 300
_PAUSE_SECONDS = 0.1


def measure(
    *,
    variant: str,
    spans: int,
    collections: int,
    quiet_seconds: float,
    directory: str,
    endpoint: str,
    counts_path: str,
) -> dict[str, Any]:
    """Let the spans pass through and return what the process looks like then."""
    # The ring's size alone is to decide what it holds, and the flush is not what is measured.
    settings = {"window_seconds": 3600.0, "tail_seconds": 0.0, "flush_cpu_share": 1.0}
    surroundings = Surroundings(directory=Path(directory), endpoint=endpoint, settings=settings)
    provider = TracerProvider(shutdown_on_exit=False)
    chosen = variants.open_variant(variant, surroundings, provider)
    app = build_app(provider, chosen)

    asyncio.run(_request(app, _WARM_UP_REQUESTS))
    collection_seconds = _collection_seconds(collections)
    objects, resident = len(gc.get_objects()), _resident_bytes()
    asyncio.run(_request(app, spans // SPANS_PER_REQUEST))
    provider.force_flush()
    gc.collect()
    result: dict[str, Any] = {
        "objects_added": len(gc.get_objects()) - objects,
        "resident_bytes_added": _resident_bytes() - resident,
        "collection_seconds": _collection_seconds(collections),
        "collection_seconds_before": collection_seconds,
        "ring_bytes": _bytes_in(Path(directory) / "ring"),
        "held_spans": chosen.held_spans(),
    }
    if result["held_spans"] is None:
        chosen.flush()
        counts = open_counts(Path(counts_path))
        result["held_spans"] = wait_until_quiet(counts, quiet_seconds, 120).spans
    chosen.close()
    return result


async def _request(app: FastAPI, count: int) -> None:
    """Call the application as uvicorn does, one request after another."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": WORK_PATH,
        "raw_path": WORK_PATH.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1:8000")],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200

    for _ in range(count):
        await app(dict(scope), receive, send)
        await asyncio.sleep(0)  # or it is one long stall of the loop, which makes an incident


def _collection_seconds(collections: int) -> float:
    """Return the time of the least disturbed of many full collections.

    They are spread over some seconds, as the machine may be slow for a second or two.
    """
    seconds = []
    for _ in range(collections):
        begin = perf_counter()
        gc.collect()
        seconds.append(perf_counter() - begin)
        sleep(_PAUSE_SECONDS)
    return min(seconds)


def _resident_bytes() -> int:
    """Return the resident memory, or 0 where the system does not tell."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return 0
    return int(statm.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _bytes_in(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


if __name__ == "__main__":
    child_process.answer(measure)
