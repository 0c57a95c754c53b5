"""Workers of Celery, with each of its pools, on a real Redis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.hosts.host import FAILED, PATCH_FIRST, SLOW, Expected, Host
from tests.hosts.visit import Visit

INCIDENTS: Final = (Expected(SLOW, "run/tasks.slow"), Expected(FAILED, "run/tasks.fail"))
_CLIENT: Final = Path(__file__).parents[1] / "programs" / "celery_client.py"


def _send_tasks(visit: Visit, usual: str = "healthy") -> None:
    visit.run_client(_CLIENT, usual)
    visit.run_client(_CLIENT, "slow")
    visit.wait_for_incident()
    visit.run_client(_CLIENT, "fail")
    visit.wait_for_incident()


def _send_few_tasks(visit: Visit) -> None:
    """Send fewer, as Celery takes up to five seconds to start a process instead of one that ended.

    How long it takes is chance, and nothing that could be compared.
    """
    _send_tasks(visit, "few")
    visit.healthy_seconds.clear()


def _host(
    arguments: str,
    *,
    packages: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    is_fast: bool = False,
    note: str = "",
) -> Host:
    return Host(
        name=f"celery worker {arguments}",
        section="Celery, on Redis",
        command=f"opentelemetry-instrument celery -A tasks worker --loglevel INFO {arguments}",
        needs_redis=True,
        packages=("celery", "redis", *packages),
        programs=("redis-server",),
        instrumentations=("celery",),
        traffic=_send_few_tasks if "max-tasks" in arguments else _send_tasks,
        incidents=INCIDENTS,
        environment=environment or {},
        ready=" ready.",
        # Those of a pool of processes end by `os._exit`.
        runs_exit_handlers="prefork" not in arguments,
        is_fast=is_fast,
        note=note,
    )


HOSTS: Final[Sequence[Host]] = [
    _host("--pool prefork -c 2", is_fast=True),
    _host("--pool prefork -c 1 --max-tasks-per-child 3"),
    _host("--pool prefork -c 1 --max-tasks-per-child 1"),
    _host("--pool threads -c 4"),
    _host(
        "--pool gevent -c 4",
        packages=("gevent",),
        environment={PATCH_FIRST: "patch_all"},
        note=f"With `{PATCH_FIRST}=patch_all`, as OpenTelemetry imports Celery before.",
    ),
    _host("--pool solo"),
]
