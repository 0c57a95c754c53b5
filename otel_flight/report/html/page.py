"""An incident as one HTML file: styles, program and data, and nothing that is fetched.

Its policy allows one style sheet and one program, by their hashes. All data is JSON, the program
makes text of it and never markup: whatever a request was called, it is shown and does nothing.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from functools import cache
from html import escape
from importlib import resources
from typing import Any, Final

import msgspec

from otel_flight.incidents.incident import Incident
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
_PLACE: Final = re.compile(r"(\{\{\w+\}\})")
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


def html_page(report: IncidentReport, incident: Incident, links: BackendLinks) -> bytes:
    """Return the page of an incident; the same bytes for the same incident.

    Args:
        report: of the incident, unlimited.
        incident: the incident; its spans are decoded once more.
        links: that lead to it in a backend.
    """
    start = _json(head(report, links, markdown(report, links)))
    page = b""
    for longest in _LENGTHS:
        columns = window_columns(
            incident.window, report.events, report.explanations, report.manifest, longest
        )
        window = base64.b64encode(_deflated(msgspec.json.encode(columns))).decode()
        page = _filled(report.manifest.incident_id, start, window)
        if len(page) <= MOST_BYTES:
            break
    return page


def _filled(incident_id: str, start: str, window: str) -> bytes:
    styles, program = _asset("page.css"), "".join(map(_asset, _SCRIPTS))
    parts = {
        "{{policy}}": escape(_policy(styles, program)),
        "{{title}}": escape(f"Incident {incident_id}"),
        "{{styles}}": styles,
        "{{head}}": start,
        "{{window}}": window,
        "{{program}}": program,
    }
    pieces = _PLACE.split(_asset("page.html"))
    return "".join(parts.get(piece, piece) for piece in pieces).encode()


def _policy(styles: str, program: str) -> str:
    return (
        f"default-src 'none'; style-src '{_hash(styles)}'; script-src '{_hash(program)}'; "
        "base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _json(value: Any) -> str:
    """Return JSON that ends no element it stands in."""
    return msgspec.json.encode(value, enc_hook=str).decode().replace("<", "\\u003c")


def _deflated(data: bytes) -> bytes:
    deflater = zlib.compressobj(level=6, wbits=-15)
    return deflater.compress(data) + deflater.flush()


@cache
def _asset(name: str) -> str:
    return (resources.files(__package__) / "assets" / name).read_text(encoding="utf-8")
