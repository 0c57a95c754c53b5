"""A nightly job that reads orders, and fails at a bad one.

Nobody exports a trace of the rows before it, and nobody keeps them: the flight recorder does,
for as long as nothing goes wrong. When the job fails, all of them are in the incident.
"""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import otel_flight

ORDERS = [f"{number};{number * 100}" for number in range(200)] + ["200;12,50", "201;99"]

trace.set_tracer_provider(
    TracerProvider(
        resource=Resource.create({"service.name": "import-orders"}),
        sampler=ALWAYS_OFF,  # nothing is exported, and everything is recorded
    )
)
otel_flight.install()
tracer = trace.get_tracer("import_orders")


def read_order(line: str) -> tuple[int, int]:
    """Return an order's number and its amount in cents."""
    with tracer.start_as_current_span("read order", attributes={"line": line}):
        number, amount = line.split(";")
        return int(number), int(amount)


def main() -> None:
    """Read all orders."""
    with tracer.start_as_current_span("import orders"):
        total = sum(amount for _, amount in map(read_order, ORDERS))
    print(f"{len(ORDERS)} orders, {total / 100:.2f}")


if __name__ == "__main__":
    main()
