"""gunicorn with each of its workers, which loads the application before it forks or after."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Final

from tests.hosts.host import FAILED, SLOW, Expected, Host
from tests.hosts.visit import serve

INCIDENTS: Final = (Expected(SLOW, "GET /slow"), Expected(FAILED, "GET /fail"))

_WORKERS: Final = {
    "sync": ("-w 2", ()),
    "gthread": ("-w 2 --threads 4", ()),
    "gevent": ("-w 2", ("gevent",)),
}
"""What else is said of a worker, and what it needs."""


def _host(worker: str, *, is_preloaded: bool) -> Host:
    arguments, packages = _WORKERS[worker]
    preload = " --preload" if is_preloaded else ""
    return Host(
        name=f"gunicorn -k {worker}{preload}",
        section="gunicorn",
        command=(
            f"opentelemetry-instrument gunicorn -k {worker} {arguments}{preload} "
            "-b 127.0.0.1:{port} flask_app:app"
        ),
        packages=("gunicorn", "flask", *packages),
        instrumentations=("flask",),
        traffic=serve,
        incidents=INCIDENTS,
        is_fast=True,
    )


HOSTS: Final[Sequence[Host]] = [
    _host(worker, is_preloaded=is_preloaded)
    for worker, is_preloaded in product(_WORKERS, (False, True))
]
