"""The spans that benchmarks without a service make: traces of a root and ten children."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
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
