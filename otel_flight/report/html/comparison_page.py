"""Two incidents beside each other as a page of `otel-flight serve`."""

from __future__ import annotations

from collections.abc import Sequence

from otel_flight.report.html.document import as_data, document
from otel_flight.report.model.comparison import Comparison


def comparison_page(comparison: Comparison, pages: Sequence[str]) -> bytes:
    """Return the page.

    Args:
        comparison: of the two.
        pages: the addresses of the pages of the two.
    """
    parts = {"comparison": as_data(comparison), "pages": as_data(pages)}
    return document("comparison.html", ("elements.js", "comparison.js"), parts)
