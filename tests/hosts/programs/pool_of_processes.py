"""Work in the processes of a pool, made by each of multiprocessing's start methods.

    python pool_of_processes.py fork|spawn|forkserver

It goes on when it is told to, by a line of its standard input.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from typing import Any

from opentelemetry import trace
from process_facts import process_facts

tracer = trace.get_tracer("pool")


def work(number: int) -> int:
    """Do a piece of work."""
    with tracer.start_as_current_span("work", attributes={"number": number}):
        time.sleep(0.005)
        return number * number


def slow(number: int) -> str:
    """Do it slowly."""
    with tracer.start_as_current_span("slow"):
        time.sleep(1.2)
        return "at last"


def fail(number: int) -> int:
    """Fail as a program with a mistake does."""
    prices: dict[str, int] = {}
    with tracer.start_as_current_span("fail"):
        return prices["pear"]


def facts(number: int) -> str:
    """Return what a process of the pool is like."""
    return str(process_facts())


def one_more(number: int) -> None:
    """Run in a process of its own, which is no daemon."""
    with tracer.start_as_current_span("one more"):
        print(f"one more: {number}", flush=True)


def main(method: str) -> None:
    """Give work to the pool."""
    context: Any = multiprocessing.get_context(method)
    with tracer.start_as_current_span("begin"):
        print("begins", flush=True)
    with context.Pool(2) as pool:
        print(pool.map(facts, range(1)), flush=True)
        print(pool.map(work, range(40)), flush=True)
        print(pool.map(slow, range(1)), flush=True)
        sys.stdin.readline()
        try:
            pool.map(fail, range(1))
        except KeyError as error:
            print(f"failed: {error}", flush=True)
        sys.stdin.readline()
        pool.close()
        pool.join()
    process = context.Process(target=one_more, args=(7,))
    process.start()
    process.join()
    print(f"ended: {process.exitcode}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
