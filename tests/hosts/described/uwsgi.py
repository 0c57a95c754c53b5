"""uWSGI, which has Python inside and forks without telling it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tests.hosts.host import FAILED, SLOW, Expected, Host
from tests.hosts.visit import serve

INCIDENTS: Final = (Expected(SLOW, "GET /slow"), Expected(FAILED, "GET /fail"))


def _host(arguments: str, *, note: str = "") -> Host:
    return Host(
        name=f"uwsgi {arguments}",
        section="uWSGI",
        command=(
            f"opentelemetry-instrument uwsgi --master --die-on-term --enable-threads {arguments} "
            "--http-socket 127.0.0.1:{port} --virtualenv {environment} --module flask_app:app"
        ),
        packages=("uwsgi", "flask"),
        instrumentations=("flask",),
        traffic=serve,
        incidents=INCIDENTS,
        runs_exit_handlers=False,
        is_fast=True,
        note=note,
    )


HOSTS: Final[Sequence[Host]] = [
    _host("--processes 2", note="Always with `--enable-threads`, as OpenTelemetry itself needs."),
    _host("--threads 4"),
    _host("--processes 2 --lazy-apps"),
]
