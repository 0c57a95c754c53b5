"""An incident as one HTML file: styles, program and data, and nothing that is fetched.

All data is JSON, and the program makes text of it, never markup: whatever a request was called, it
is shown and does nothing.
"""

from __future__ import annotations

import base64
import zlib
from html import escape
from typing import Final

import msgspec

from otel_flight.incidents.incident import Incident
from otel_flight.report.html.document import as_data, document
from otel_flight.report.html.head import head
from otel_flight.report.html.window_columns import window_columns
from otel_flight.report.markdown.markdown import markdown
from otel_flight.report.model.backend_links import BackendLinks
from otel_flight.report.model.incident_report import IncidentReport

MOST_BYTES: Final = 5_000_000
"""A page has at most this many bytes, as long as shorter values of attributes achieve it."""
_LENGTHS: Final = (16_384, 1_024, 128, 32)
"""Values of attributes are cut at so many characters: at the first with which the page is small
enough."""
_SCRIPTS: Final = (
    "data.js",
    "elements.js",
    "view.js",
    "overview.js",
    "requests.js",
    "lanes.js",
    "charts.js",
    "waterfall.js",
    "details.js",
    "logs.js",
    "flame.js",
    "search.js",
    "main.js",
)


def html_page(
    report: IncidentReport,
    incident: Incident,
    links: BackendLinks,
    most_bytes: int = MOST_BYTES,
) -> bytes:
    """Return the page of an incident; the same bytes for the same incident.

    Args:
        report: of the incident.
        incident: the incident; its spans are decoded once more.
        links: that lead to it in a backend.
        most_bytes: how large it may be, as far as shorter values achieve that.
    """
    parts = {
        "title": escape(f"Incident {report.manifest.incident_id}"),
        "head": as_data(head(report, links, markdown(report, links))),
    }
    page = b""
    for longest in _LENGTHS:
        columns = window_columns(
            incident.window, report.events, report.explanations, report.manifest, longest
        )
        data = base64.b64encode(_deflated(msgspec.json.encode(columns))).decode()
        page = document("page.html", _SCRIPTS, {**parts, "window": data})
        if len(page) <= most_bytes:
            break
    return page


def _deflated(data: bytes) -> bytes:
    deflater = zlib.compressobj(level=6, wbits=-15)
    return deflater.compress(data) + deflater.flush()
