"""A worker of rq, which forks a process for each job."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.hosts.host import FAILED, SLOW, Expected, Host
from tests.hosts.visit import Visit

_CLIENT: Final = Path(__file__).parents[1] / "programs" / "rq_client.py"


def _send_jobs(visit: Visit) -> None:
    visit.run_client(_CLIENT, "rq_jobs.process", *["rq_jobs.add"] * 8)
    for job in ("rq_jobs.slow", "rq_jobs.fail"):
        visit.run_client(_CLIENT, job)
        visit.wait_for_incident()
    visit.healthy_seconds.clear()  # mostly those of a fork of the worker


HOSTS: Final[Sequence[Host]] = [
    Host(
        name="rq worker",
        section="rq, on Redis",
        command="opentelemetry-instrument python rq_worker.py",
        needs_redis=True,
        packages=("rq", "redis"),
        programs=("redis-server",),
        instrumentations=(),
        traffic=_send_jobs,
        incidents=(Expected(SLOW, "slow"), Expected(FAILED, "fail")),
        ready="Listening on",
        note=(
            "It forks a process for each job, which ends by `os._exit(0)`. The jobs make their own "
            "spans."
        ),
    )
]
