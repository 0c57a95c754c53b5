"""An incident with something of everything that a recorder may find: what readers are tried on."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any, Final

from opentelemetry.trace import SpanKind

from otel_flight.incidents.incident import Incident
from otel_flight.names import (
    attributes,
    event_names,
    exception_attributes,
    log_attributes,
    process_attributes,
    source_names,
)
from tests.support.incidents.incident_builder import IncidentBuilder, place

INCIDENT_ID: Final = "20260101-100000-3f9a1c"


def names_in(module: ModuleType) -> list[str]:
    """Return the names that a module defines as its constants, in their order."""
    return [value for name, value in vars(module).items() if name.isupper() and value]


ATTRIBUTES: Final[dict[str, Any]] = {
    **{name: number for number, name in enumerate(names_in(attributes))},
    **{name: number for number, name in enumerate(names_in(process_attributes))},
    **dict.fromkeys(
        (
            attributes.FUNCTION,
            attributes.FILE,
            attributes.CALL,
            attributes.WAIT_ON,
            attributes.HOLDER,
            attributes.LOCATION,
        ),
        "handle (/app/shop.py:30)",
    ),
    attributes.LOOP_SEEN: ["handle (shop.py:30)", "get"],
    attributes.POOL_BUSY: ["handle (shop.py:30)", "get"],
    attributes.WAIT_KIND: "connection pool",
    attributes.HOLDER_TRACE_ID: "ab" * 16,
    attributes.HOLDER_SPAN_ID: "cd" * 8,
    attributes.POOL_TRACE_IDS: ["ab" * 16, ""],
    **dict.fromkeys(names_in(exception_attributes), "ValueError"),
    log_attributes.MESSAGE: "the bank said no",
    log_attributes.LOGGER: "shop.bank",
    log_attributes.SEVERITY: "ERROR",
    log_attributes.LEVEL: 40,
}
"""Every attribute that an event may have, most of them with a number."""


def rich_incident(ring_directory: Path) -> Incident:
    """Return an incident about a slow request, in the middle of others, with all kinds of events.

    Args:
        ring_directory: where its ring is, for as long as this takes.
    """
    with IncidentBuilder(ring_directory) as builder:
        for start in range(0, 1000, 250):
            builder.request("GET /items", start, start + 20)
        root = builder.open("GET /report", 500, kind=SpanKind.SERVER)
        client = {"server.address": "inventory", "server.port": 8080, "url.full": "http://i/x"}
        for start in range(510, 560, 10):
            call = builder.open("GET", start, root, kind=SpanKind.CLIENT, attributes=client)
            call.add_event("retry", {"n": 1, "ratio": 0.5, "names": ["a", "b"]})
            call.add_link(root.get_span_context(), {"why": "batch"})
            builder.end(call, start + 8, error=ValueError("declined"))
        builder.span("hung", 600, None, root)
        add_events(builder, root)
        builder.end(root, 2600)
        builder.request("GET /late", 2650, 2660, error="503")
        causes = (builder.slow(root, 2600), builder.failed(root, 2600))
        return builder.incident(*causes, closed_ms=4600, incident_id=INCIDENT_ID)


def add_events(builder: IncidentBuilder, root: Any) -> None:
    """Record each kind of event of each source, with every attribute and a stack."""
    places = [place("main", "/app/main.py", 3), place("handle", "/app/shop.py", 30)]
    for source in names_in(source_names):
        for number, name in enumerate(names_in(event_names)):
            builder.event(
                source,
                name,
                600 + 20 * number,
                700 + 20 * number,
                thread_id=7,
                span=root if number % 2 else None,
                attributes=ATTRIBUTES,
                places=places if number % 3 else (),
            )
