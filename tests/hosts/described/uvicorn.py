"""uvicorn with FastAPI: one process, workers, and the reloader of development."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from otel_flight.worker.recovery import BETWEEN_LOOKS_SECONDS
from tests.hosts.host import FAILED, SLOW, Expected, Host
from tests.hosts.visit import Visit, serve

INCIDENTS: Final = (Expected(SLOW, "GET /slow"), Expected(FAILED, "GET /fail"))
_SECTION: Final = "uvicorn, with FastAPI"
_PACKAGES: Final = ("uvicorn", "fastapi", "websockets")
_INSTRUMENTATIONS: Final = ("asgi", "fastapi")
_SOCKETS: Final = Path(__file__).parents[1] / "programs" / "socket_client.py"


def _serve_streams(visit: Visit) -> None:
    """Ask for streams and WebSockets, too; they are shorter than is slow."""
    serve(visit)
    for number in range(8):
        visit.get(f"/threads/{number}")
    for _ in range(3):
        visit.get("/events")
    visit.get_at_once(["/events"] * 8)
    visit.run_client(_SOCKETS, f"ws://127.0.0.1:{visit.port}/socket")


def _stream_for_long(visit: Visit) -> None:
    """Let a stream and a WebSocket last for longer than a request may take."""
    visit.get("/items/1")
    visit.get("/events?interval_seconds=0.3")
    visit.run_client(_SOCKETS, f"ws://127.0.0.1:{visit.port}/socket", "0.5")
    for number in range(8):
        visit.get(f"/items/{number}")


def _reload(visit: Visit) -> None:
    """Let the reloader see that the program changed, and then make the usual requests."""
    program = visit.folder / "app" / "fastapi_app.py"
    visit.get("/items/1")
    program.write_text(program.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    visit.process.wait_for(
        lambda: visit.process.output().count("Application startup complete") > 1,
        "it did not start again",
    )
    serve(visit)


def _restart_workers(visit: Visit) -> None:
    """Let all workers be replaced, one after the other, as at a deployment; nobody has died."""
    serve(visit)
    visit.process.send_signal(signal.SIGHUP)
    visit.process.wait_for(
        lambda: visit.process.output().count("Application startup complete") >= 4,
        "the workers were not replaced",
    )
    until = time.monotonic() + 2 * BETWEEN_LOOKS_SECONDS  # of the new ones, after the old ones
    while time.monotonic() < until:
        visit.get("/items/1")
        time.sleep(0.1)
    visit.healthy_seconds.clear()
    visit.answers.clear()


def _host(arguments: str = "", *, is_fast: bool = False) -> Host:
    return Host(
        name=f"uvicorn {arguments}".strip(),
        section=_SECTION,
        command=(f"opentelemetry-instrument uvicorn {arguments} --port {{port}} fastapi_app:app"),
        packages=_PACKAGES,
        instrumentations=_INSTRUMENTATIONS,
        traffic=_serve_streams,
        incidents=INCIDENTS,
        is_fast=is_fast,
        note="With streams of events and WebSockets that are shorter than is slow.",
    )


HOSTS: Final[Sequence[Host]] = [
    _host(is_fast=True),
    _host("--workers 2"),
    _host("--loop asyncio"),
    Host(
        name="uvicorn, streams that last",
        section=_SECTION,
        command="opentelemetry-instrument uvicorn --port {port} fastapi_app:app",
        packages=_PACKAGES,
        instrumentations=_INSTRUMENTATIONS,
        traffic=_stream_for_long,
        note="A stream or a WebSocket that lasts is no slow request.",
    ),
    Host(
        name="uvicorn --workers 2, installed by the app",
        section=_SECTION,
        command="uvicorn --workers 2 --port {port} installing_app:app",
        packages=_PACKAGES,
        instrumentations=_INSTRUMENTATIONS,
        traffic=_restart_workers,
        incidents=INCIDENTS,
        runs_exit_handlers=False,
        note="The workers handle signals before there is a recorder, and are replaced by SIGHUP.",
    ),
    Host(
        name="uvicorn --reload",
        section=_SECTION,
        command=(
            "opentelemetry-instrument uvicorn --reload --reload-dir {folder}/app "
            "--app-dir {folder}/app --port {port} fastapi_app:app"
        ),
        copies=("fastapi_app.py", "process_facts.py"),
        packages=_PACKAGES,
        instrumentations=_INSTRUMENTATIONS,
        traffic=_reload,
        incidents=INCIDENTS,
        note="The program is changed while it runs, and starts again.",
    ),
]
