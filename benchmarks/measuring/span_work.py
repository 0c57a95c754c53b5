"""The spans that benchmarks without a service make: traces of a root and ten children."""

from __future__ import annotations

import random
from collections.abc import Mapping

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AttributeValue

CHILDREN = 10
SPANS_PER_TRACE = 1 + CHILDREN
_ATTRIBUTES: Mapping[str, AttributeValue] = {
    "http.request.method": "GET",
    "http.route": "/orders/{order_id}",
    "http.response.status_code": 200,
    "server.address": "orders.internal",
    "app.cart.total": 129.5,
    "app.is_member": True,
}


class SpanWork:
    """Make spans with six attributes each, through one tracer of the provider."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("benchmarks", "1.0")

    def make_traces(self, count: int, children: int = CHILDREN) -> None:
        """Start and end so many traces."""
        start_span = self._tracer.start_span
        for _ in range(count):
            root = start_span("GET /orders/{order_id}", attributes=_ATTRIBUTES)
            context = trace.set_span_in_context(root)
            for _ in range(children):
                start_span("SELECT orders", context, attributes=_ATTRIBUTES).end()
            root.end()


class RequestWork:
    """Make the spans of requests as instrumentations do: eight attributes, a third of them new.

    Costs of encoding depend on how often an attribute comes again with the same value, so these
    have methods and queries that repeat, and ids, ports, paths and amounts that hardly do.
    """

    def __init__(self, provider: TracerProvider) -> None:
        self._web = provider.get_tracer("shop.web", "1.0")
        self._database = provider.get_tracer("shop.database", "2.1")
        self._random = random.Random(0)
        self._made = 0

    def make_traces(self, count: int) -> None:
        """Start and end so many traces of `SPANS_PER_TRACE` spans."""
        for _ in range(count):
            self._made += 1
            root = self._web.start_span(
                "GET /orders/{order_id}", kind=SpanKind.SERVER, attributes=self._of_request()
            )
            context = trace.set_span_in_context(root)
            for item in range(CHILDREN):
                self._database.start_span(
                    "SELECT items",
                    context,
                    kind=SpanKind.CLIENT,
                    attributes=self._of_query(item),
                ).end()
            root.end()

    def _of_request(self) -> dict[str, AttributeValue]:
        number = self._random.randrange
        return {
            "http.request.method": "GET",
            "http.route": "/orders/{order_id}",
            "url.path": f"/orders/{self._made}",
            "url.scheme": "https",
            "client.address": f"10.0.0.{number(200)}",
            "client.port": number(1024, 65536),
            "user_agent.original": f"shop-app/{number(20)}.1 (android)",
            "http.response.status_code": 200,
        }

    def _of_query(self, item: int) -> dict[str, AttributeValue]:
        return {
            "db.system.name": "postgresql",
            "db.namespace": "shop",
            "db.query.text": "SELECT price FROM items WHERE order_id = %s AND item = %s",
            "server.address": "orders.internal",
            "app.order_id": f"order-{self._made}",
            "app.item": item,
            "db.response.returned_rows": self._random.randrange(50),
            "app.price": self._random.random() * 100,
        }
