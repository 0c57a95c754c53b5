"""uWSGI, which has Python inside and forks without telling it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from tests.hosts.host import FAILED, SLOW, Expected, Host
from tests.hosts.visit import Visit, serve, serve_requests

INCIDENTS: Final = (Expected(SLOW, "GET /slow"), Expected(FAILED, "GET /fail"))


def _host(arguments: str, *, traffic: Callable[[Visit], None] = serve, note: str = "") -> Host:
    return Host(
        name=f"uwsgi {arguments}",
        section="uWSGI",
        command=(
            f"opentelemetry-instrument uwsgi --master --die-on-term --enable-threads {arguments} "
            "--http-socket 127.0.0.1:{port} --virtualenv {environment} --module flask_app:app"
        ),
        packages=("uwsgi", "flask"),
        instrumentations=("flask",),
        traffic=traffic,
        incidents=INCIDENTS,
        runs_exit_handlers=False,
        is_fast=True,
        note=note,
    )


HOSTS: Final[Sequence[Host]] = [
    _host("--processes 2", note="Always with `--enable-threads`, as OpenTelemetry itself needs."),
    # All its threads but the first one block all signals, and each of them may answer.
    _host("--threads 4", traffic=serve_requests),
    _host("--processes 2 --lazy-apps"),
]
