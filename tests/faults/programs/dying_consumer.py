"""A thread that does the shop's deliveries, until one order has no address."""

from __future__ import annotations

import queue
import threading

from opentelemetry import trace
from switch import IS_FAULTY, begin, stay

Order = dict[str, str]

tracer = trace.get_tracer("shop")
orders: queue.SimpleQueue[Order | None] = queue.SimpleQueue()


def label(order: Order) -> str:
    """Write the label of a parcel."""
    return f"To: {order['address']}"


def deliver() -> None:
    """Deliver orders, one after the other, as long as there are any."""
    while (order := orders.get()) is not None:
        with tracer.start_as_current_span("print label"):
            pass
        label(order)


worker = threading.Thread(target=deliver, name="deliveries")
worker.start()
begin()
for _ in range(10):
    orders.put({"address": "12 High Street"})
orders.put({} if IS_FAULTY else {"address": "1 Low Street"})
orders.put(None)
worker.join()
stay()
