"""The first process of a container, which the kernel protects from signals it does not handle."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import Final

from tests.hosts.host import FAILED, SLOW, Expected, Host
from tests.hosts.visit import Visit, serve

_AS_FIRST: Final = "unshare --fork --pid --mount-proc --kill-child"


def _terminate_in_vain(visit: Visit) -> None:
    """Send SIGTERM, which has no handler; it still serves, and what goes wrong is still seen."""
    visit.get("/items/1")
    visit.host_process().send_signal(signal.SIGTERM)
    serve(visit)


HOSTS: Final[Sequence[Host]] = [
    Host(
        name="gunicorn as process 1",
        section="Containers",
        command=(
            f"{_AS_FIRST} opentelemetry-instrument gunicorn -w 2 -b 127.0.0.1:{{port}} "
            "flask_app:app"
        ),
        packages=("gunicorn", "flask"),
        instrumentations=("flask",),
        programs=("unshare",),
        traffic=serve,
        incidents=(Expected(SLOW, "GET /slow"), Expected(FAILED, "GET /fail")),
        is_below=True,
        needs_root=True,
        is_fast=True,
    ),
    Host(
        name="a script as process 1",
        section="Containers",
        command=(f"{_AS_FIRST} opentelemetry-instrument python plain_server.py {{port}}"),
        packages=("opentelemetry-sdk",),
        instrumentations=(),
        programs=("unshare",),
        traffic=_terminate_in_vain,
        incidents=(Expected(SLOW, "GET /slow"), Expected(FAILED, "GET /fail")),
        ends_by=signal.SIGKILL,
        runs_exit_handlers=False,
        is_below=True,
        needs_root=True,
        is_fast=True,
        note="Without a handler SIGTERM does nothing to it, before and after.",
    ),
]
