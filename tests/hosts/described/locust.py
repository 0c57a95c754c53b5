"""locust, whose users are greenlets: a client, which has the spans of its requests only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tests.hosts.host import FAILED, PATCH_FIRST, SLOW, Expected, Host
from tests.hosts.visit import Visit


def _wait(visit: Visit) -> None:
    """Ask nothing: it is the client that asks."""


HOSTS: Final[Sequence[Host]] = [
    Host(
        name="locust",
        section="Clients",
        # What it asks is a service without a recorder.
        command=(
            "sh -c 'python plain_server.py {port} 2>/dev/null & "
            "opentelemetry-instrument locust --headless --only-summary -u 1 "
            "-H http://127.0.0.1:{port} -f locustfile.py; code=$?; kill %1; exit $code'"
        ),
        packages=("locust", "gevent", "requests"),
        instrumentations=("requests",),
        traffic=_wait,
        incidents=(Expected(SLOW, "GET"), Expected(FAILED, "GET")),
        # A client's span without a parent takes as long as it likes, unless its name has a limit.
        environment={PATCH_FIRST: "patch_all", "OTEL_FLIGHT_SLOW_ROOT_ROUTES": "GET=1s"},
        ends_by=None,
        says=(r"^GET +/", r"^Aggregated "),  # its table has the times
        note=f"With `{PATCH_FIRST}=patch_all`, as OpenTelemetry imports `requests` before.",
    )
]
