"""A nightly job that ends with an exception nobody handles, and with it the process."""

from __future__ import annotations

from opentelemetry import trace
from switch import IS_FAULTY, begin, stay

tracer = trace.get_tracer("shop")


class ImportFailed(Exception):  # noqa: N818
    """What the job makes of whatever went wrong."""


def price(line: str) -> int:
    """Return the price in a line of the price list."""
    return int(line.split(";")[1])


def run(lines: list[str]) -> int:
    """Import a price list."""
    with tracer.start_as_current_span("read price list"):
        pass
    try:
        return sum(price(line) for line in lines)
    except ValueError as error:
        message = "the price list is broken"
        raise ImportFailed(message) from error


begin()
run(["tea;300", "coffee;unknown" if IS_FAULTY else "coffee;500"])
stay()
