"""Jobs of rq: one answers, one is slow, one fails. Each makes its own span."""

from __future__ import annotations

import time
from typing import Any

from opentelemetry import trace
from process_facts import process_facts

tracer = trace.get_tracer("shop")


def process() -> dict[str, Any]:
    """Return what the process of the job is like."""
    return process_facts()


@tracer.start_as_current_span("add")
def add(first: int = 1, second: int = 2) -> int:
    """Return a sum, after a moment of waiting."""
    time.sleep(0.005)
    return first + second


@tracer.start_as_current_span("slow")
def slow() -> str:
    """Answer after longer than a job may take."""
    time.sleep(1.2)
    return "at last"


@tracer.start_as_current_span("fail")
def fail() -> str:
    """Fail as a program with a mistake does."""
    prices: dict[str, int] = {}
    return str(prices["pear"])
