"""Send tasks to a worker, and print what came of them.

python celery_client.py healthy|few|slow|fail
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import tasks

SECONDS = 30.0


def ask(what: str, call: Callable[[], object]) -> None:
    """Print what a task returns, or raises."""
    began = time.monotonic()
    try:
        answer = call()
    except Exception as error:  # noqa: BLE001 the answer of a task that fails
        answer = repr(error)
    seconds = time.monotonic() - began
    print(json.dumps({"what": what, "answer": answer, "seconds": seconds}), flush=True)


def healthy() -> None:
    """Send tasks one after the other, and then some at once."""
    ask("process", lambda: tasks.process.delay().get(SECONDS))
    for number in range(20):
        ask(f"add {number}", lambda: tasks.add.delay(number, 1).get(SECONDS))  # noqa: B023 at once
    many = [tasks.add.delay(number, number) for number in range(20)]
    ask("many", lambda: [each.get(SECONDS) for each in many])
    ask("the last", lambda: tasks.add.delay(0, 0).get(SECONDS))


def few() -> None:
    """Send tasks to a worker that needs five seconds for a new process."""
    ask("process", lambda: tasks.process.delay().get(SECONDS))
    for number in range(5):
        ask(f"add {number}", lambda: tasks.add.delay(number, 1).get(SECONDS))  # noqa: B023 at once


def main(what: str) -> None:
    """Send what is named."""
    if what == "healthy":
        healthy()
    elif what == "few":
        few()
    elif what == "slow":
        ask(what, lambda: tasks.slow.delay().get(SECONDS))
    else:
        ask(what, lambda: tasks.fail.delay().get(SECONDS))


if __name__ == "__main__":
    main(*sys.argv[1:])
