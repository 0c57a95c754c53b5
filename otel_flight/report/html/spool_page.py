"""The incidents of a spool as a page that follows what is added."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from otel_flight.report.html.document import as_data, document


def spool_page(rows: Sequence[dict[str, Any]]) -> bytes:
    """Return the page.

    Args:
        rows: what is known of each incident, newest first: `id`, `what`, `service`, `opened`,
            `spans`, `delivery`, `finding` and, unless it is unreadable, `page`: its address.
    """
    return document(
        "spool.html", ("elements.js", "spool.js"), {"rows": as_data(rows)}, connects="'self'"
    )
