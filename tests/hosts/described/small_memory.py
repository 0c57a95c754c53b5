"""A container with 64 MiB of shared memory, Docker's default, which the application uses, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tests.hosts.host import FAILED, SLOW, Expected, Host
from tests.hosts.visit import Visit, serve


def _share_memory(visit: Visit) -> None:
    """Let all workers take part before the application fills what is left to it."""
    serve(visit)
    for _ in range(3):
        visit.get_at_once(["/nap"] * 8)
    visit.get("/share/40")


HOSTS: Final[Sequence[Host]] = [
    Host(
        name="gunicorn -w 8, 64 MiB of shared memory",
        section="Containers",
        command=(
            "unshare --mount sh -c 'mount -t tmpfs -o size=64m tmpfs /dev/shm && "
            "exec opentelemetry-instrument gunicorn -w 8 -b 127.0.0.1:{port} sharing_app:app'"
        ),
        packages=("gunicorn", "flask"),
        instrumentations=("flask",),
        programs=("unshare",),
        traffic=_share_memory,
        incidents=(Expected(SLOW, "GET /slow"), Expected(FAILED, "GET /fail")),
        says=(
            r"otel-flight keeps a window of # [KM]iB instead of # MiB in /dev/shm/otel-flight-#: ",
            r"otel-flight keeps its window in /tmp/otel-flight-# instead of /dev/shm/",
        ),
        uses_default_ring_directory=True,
        needs_root=True,
        is_fast=True,
        note="Its windows are smaller, as the log says, and the application has what it needs.",
    ),
]
