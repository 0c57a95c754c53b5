"""The worker of Celery, beside Redis."""

from __future__ import annotations

from typing import Final

from celery import Celery

from tests.traffic.service import PATIENCE_SECONDS, Act, Fault, Service


def _send(task: str, *arguments: int) -> Act:
    """Return what lets a task be done, and waits until it is, whatever comes of it."""

    def act(port: int) -> None:
        url = f"redis://127.0.0.1:{port}/0"
        with Celery(broker=url, backend=url) as app:
            result = app.send_task(f"celery_shop.{task}", arguments)
            if task != "ignored":
                result.get(timeout=PATIENCE_SECONDS, propagate=False)

    return act


CELERY: Final = Service(
    name="celery",
    command="-m celery -A celery_shop worker --loglevel INFO --pool prefork --concurrency 2",
    ready=" ready.",
    needs_redis=True,
    ordinary=(
        *(_send("add", 1, number) for number in range(10)),
        _send("retried"),
        _send("ignored"),
        _send("script"),
    ),
    faults=(
        Fault(act=_send("bug"), title="error span run/celery_shop.bug"),
        Fault(act=_send("exhausted"), title="error span run/celery_shop.exhausted"),
        Fault(act=_send("swallowed"), title="log record ERROR shop"),
        Fault(act=_send("limited"), title="error span run/celery_shop.limited"),
        Fault(act=_send("slow"), title="slow local root run/celery_shop.slow"),
        Fault(act=_send("thread"), title="unhandled exception OSError"),
    ),
)
