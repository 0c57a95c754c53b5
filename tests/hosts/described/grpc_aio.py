"""A server of grpc.aio."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.hosts.host import FAILED, SLOW, Expected, Host
from tests.hosts.visit import Visit

_CLIENT: Final = Path(__file__).parents[1] / "programs" / "grpc_client.py"


def _call(visit: Visit) -> None:
    visit.run_client(_CLIENT, str(visit.port), "healthy")
    visit.run_client(_CLIENT, str(visit.port), "slow")
    visit.wait_for_incident()
    visit.run_client(_CLIENT, str(visit.port), "fail")
    visit.wait_for_incident()


HOSTS: Final[Sequence[Host]] = [
    Host(
        name="grpc.aio",
        section="gRPC",
        command="opentelemetry-instrument python grpc_server.py {port}",
        packages=("grpcio",),
        instrumentations=("grpc_aio_server",),
        traffic=_call,
        incidents=(Expected(SLOW, "/shop.Shop/Slow"), Expected(FAILED, "/shop.Shop/Fail")),
    )
]
