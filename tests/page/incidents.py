"""Incidents to open in the browser, and their pages."""

from __future__ import annotations

import threading
from pathlib import Path

from opentelemetry.trace import SpanKind

from otel_flight.assembly import ASSEMBLY
from otel_flight.incidents.incident import Incident
from otel_flight.names import attributes as names
from otel_flight.names import log_attributes
from otel_flight.report.html.page import html_page
from otel_flight.report.model.backend_links import BackendLinks
from otel_flight.report.model.incident_report import build_report
from tests.support.incidents.incident_builder import IncidentBuilder, place

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)> \u202eback\x00"


def page_of(incident: Incident) -> bytes:
    """Return the page of an incident."""
    report = build_report(incident, ASSEMBLY.rulebook)
    return html_page(report, incident, BackendLinks())


def lock_page(ring_directory: Path) -> bytes:
    """Return the page of a request that waited for a lock, among others, with logs and stacks."""
    with IncidentBuilder(ring_directory) as builder:
        for start in range(0, 2_000, 50):
            request = builder.open("GET /items", start, kind=SpanKind.SERVER)
            builder.span("SELECT items", start + 5, start + 25, request, attributes={"row": start})
            builder.end(request, start + 40)
        failing = builder.open("POST /orders", 900, kind=SpanKind.SERVER)
        builder.span("charge card", 910, 940, failing, error=ValueError("declined"))
        builder.end(failing, 950, error="declined")
        root = builder.open("GET /report", 500, kind=SpanKind.SERVER)
        wait = builder.open("wait for lock", 520, root)
        stack = [place("main", "/app/main.py", 3), place("report", "/app/shop.py", 30)]
        for moment in range(600, 2_400, 100):
            builder.event(
                "stacks",
                "waiting",
                moment,
                thread_id=7,
                span=wait,
                attributes={names.WAIT_KIND: "lock", names.WAIT_ON: "stock_lock"},
                places=[*stack, place("acquire", "/lib/threading.py", 99)],
            )
        log = {log_attributes.LOGGER: "shop", log_attributes.SEVERITY: "ERROR"}
        log |= {log_attributes.LEVEL: "40", log_attributes.MESSAGE: "no stock"}
        builder.event("logs", "log record", 1_000, span=wait, attributes=log)
        builder.event("gc", "gc pause", 1_200, 1_300, thread_id=7, span=wait)
        for moment in range(0, 3_000, 500):
            memory = {"process.memory.usage": 100 << 20, "process.cpu.utilization": 0.5}
            builder.event("process", "process vitals", moment, attributes=memory)
        builder.end(wait, 2_450)
        builder.end(root, 2_500)
        return page_of(builder.incident(builder.slow(root, 2_500), closed_ms=4_500))


def blocked_page(ring_directory: Path) -> bytes:
    """Return the page of a request that a blocked event loop held up, beside another long one."""
    own = threading.get_ident()
    with IncidentBuilder(ring_directory) as builder:
        for start in range(0, 1_000, 200):
            builder.request("GET /items", start, start + 50)
        builder.event("event_loop", "event loop blocked", 100, 200, thread_id=own)
        root = builder.open("GET /report", 1_000, kind=SpanKind.SERVER)
        builder.request("POST /slow", 1_100, 2_900)
        stack = [place("main", "/app/main.py", 3), place("crunch", "/app/shop.py", 30)]
        where = {names.FUNCTION: "crunch", names.FILE: "/app/shop.py", names.LINE: 30}
        builder.event(
            "event_loop",
            "event loop blocked",
            1_200,
            2_700,
            thread_id=own,
            span=root,
            attributes=where,
            places=stack,
        )
        builder.end(root, 3_000)
        return page_of(builder.incident(builder.slow(root, 3_000), closed_ms=5_000))


def hostile_page(ring_directory: Path) -> bytes:
    """Return the page of an incident in which everything has a name that wants to be markup."""
    with IncidentBuilder(ring_directory, service=HOSTILE, window_bytes=16 * 1024**2) as builder:
        root = builder.open(HOSTILE, 0, kind=SpanKind.SERVER, attributes={HOSTILE: HOSTILE})
        builder.span(HOSTILE, 100, 1_900, root, error=ValueError(HOSTILE))
        root.add_event(HOSTILE, {HOSTILE: HOSTILE})
        root.add_link(root.get_span_context(), {HOSTILE: HOSTILE})
        log = {log_attributes.LOGGER: HOSTILE, log_attributes.MESSAGE: HOSTILE}
        builder.event("logs", "log record", 500, span=root, attributes=log)
        builder.event(
            "stacks",
            "running",
            600,
            span=root,
            attributes={HOSTILE: HOSTILE},
            places=[place(HOSTILE, HOSTILE, 1)],
        )
        builder.span("long", 100, 101, root, attributes={"long": "x" * 10_000_000})
        many = {f"key {number}": number for number in range(10_000)}
        builder.span("many", 100, 101, root, attributes=many)
        builder.end(root, 2_000, error=HOSTILE)
        return page_of(builder.incident(builder.slow(root, 2_000), closed_ms=4_000))
