"""All hosts, in the order of the page of compatibility."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tests.hosts.described import (
    celery,
    first_process,
    grpc_aio,
    gunicorn,
    locust,
    mod_wsgi,
    rq,
    scripts,
    small_memory,
    uvicorn,
    uwsgi,
    vendors,
    web_frameworks,
)
from tests.hosts.host import Host

HOSTS: Final[Sequence[Host]] = [
    *gunicorn.HOSTS,
    *uvicorn.HOSTS,
    *uwsgi.HOSTS,
    *mod_wsgi.HOSTS,
    *web_frameworks.HOSTS,
    *vendors.HOSTS,
    *grpc_aio.HOSTS,
    *celery.HOSTS,
    *rq.HOSTS,
    *locust.HOSTS,
    *scripts.HOSTS,
    *first_process.HOSTS,
    *small_memory.HOSTS,
]
