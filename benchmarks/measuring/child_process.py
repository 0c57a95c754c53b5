"""A benchmark's part that needs a process of its own: one JSON value in, one out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.support.processes.service_process import ServiceFailedError, ServiceProcess

REPOSITORY = Path(__file__).parents[2]
_MARK = "result: "


def start(
    module: str, configuration: Mapping[str, Any], *, ready_address: str | None = None
) -> ServiceProcess:
    """Return a process, to be used in a `with` statement, that runs `answer()` in the module."""
    return ServiceProcess(
        ["-m", module, json.dumps(configuration)],
        working_directory=REPOSITORY,
        ready_address=ready_address,
        # The exporters would send to a proxy what is meant for loopback.
        environment={"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"},
    )


def result_of(process: ServiceProcess, timeout_seconds: float) -> dict[str, Any]:
    """Wait until the process ends and return its answer.

    Raises:
        ServiceFailedError: It failed, or is not done in time.
    """
    if process.wait(timeout_seconds) != 0:
        message = "a part of the benchmark failed"
        raise ServiceFailedError(message, process)
    answer = process.output().rpartition(_MARK)[2]
    parsed: dict[str, Any] = json.loads(answer.splitlines()[0])
    return parsed


def run(module: str, configuration: Mapping[str, Any], timeout_seconds: float) -> dict[str, Any]:
    """Run the module's part to its end and return its answer."""
    with start(module, configuration) as process:
        return result_of(process, timeout_seconds)


def answer(part: Callable[..., Mapping[str, Any]]) -> None:
    """Be the process: call the part with the given configuration and print what it returns."""
    print(_MARK + json.dumps(part(**json.loads(sys.argv[1]))), flush=True)
