"""Call the service of grpc.aio, and print what it answered.

python grpc_client.py PORT healthy|slow|fail
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import grpc


def ask(what: str, call: Callable[[], object]) -> None:
    """Print what a call returns, or fails with."""
    began = time.monotonic()
    try:
        answer = call()
    except grpc.RpcError as error:
        answer = f"{error.code()} {error.details()}"
    seconds = time.monotonic() - began
    print(json.dumps({"what": what, "answer": answer, "seconds": seconds}), flush=True)


def main(port: str, what: str) -> None:
    """Make the calls that are named."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        if what == "healthy":
            item: Any = channel.unary_unary("/shop.Shop/Item")
            prices: Any = channel.unary_stream("/shop.Shop/Prices")
            for number in range(20):
                ask(f"Item {number}", lambda: item(f"item {number}".encode()).decode())  # noqa: B023
            for number in range(5):
                ask(f"Prices {number}", lambda: b",".join(prices(b"price ")).decode())
            calls = [item.future(f"item {number}".encode()) for number in range(20)]
            ask("many", lambda: [each.result().decode() for each in calls])
        else:
            call: Any = channel.unary_unary(f"/shop.Shop/{what.capitalize()}")
            ask(what, lambda: call(b"").decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
