"""The service of grpc.aio."""

from __future__ import annotations

import contextlib
from typing import Any, Final

import grpc

from tests.traffic.service import PATIENCE_SECONDS, Act, Fault, Service


def _call(method: str, *, is_stream: bool = False, after_seconds: float = PATIENCE_SECONDS) -> Act:
    """Return what calls a method, whatever comes of it."""

    def act(port: int) -> None:
        with (
            grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
            contextlib.suppress(grpc.RpcError),
        ):
            make: Any = channel.unary_stream if is_stream else channel.unary_unary
            answer = make(f"/shop.Shop/{method}")(b"pear", timeout=after_seconds)
            if is_stream:
                list(answer)

    return act


GRPC: Final = Service(
    name="grpc.aio",
    command="grpc_shop.py {port}",
    ordinary=(
        *(_call("get") for _ in range(20)),
        _call("missing"),
        _call("denied"),
        _call("handled"),
        _call("patient", after_seconds=0.1),
        _call("watch", is_stream=True),
        _call("watch", is_stream=True, after_seconds=0.1),
    ),
    faults=(
        *(
            Fault(act=_call(name, is_stream=name == "torn"), title=f"error span /shop.Shop/{name}")
            for name in ("bug", "internal", "unavailable", "lost", "torn")
        ),
        Fault(act=_call("slow"), title="slow local root /shop.Shop/slow"),
    ),
)
