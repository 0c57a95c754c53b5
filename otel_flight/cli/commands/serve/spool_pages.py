"""What the server shows: the list of incidents, the page of each, and the comparison of two."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

import msgspec

from otel_flight.cli.base import Invocation
from otel_flight.cli.commands.serve.server import HTML, JSON, Answer
from otel_flight.cli.incident_reports import incident_of, links_to, report_of, whole_report_of
from otel_flight.cli.left_behind import is_left_behind
from otel_flight.errors import IncidentNotFound, NotAnIncident
from otel_flight.incidents.spool.directory import SpoolEntry
from otel_flight.report.html.comparison_page import comparison_page
from otel_flight.report.html.page import html_page
from otel_flight.report.html.spool_page import spool_page
from otel_flight.report.model.comparison import compare
from otel_flight.report.model.incident_words import short_delivery_words
from otel_flight.words import moment, one_line

_SUFFIX: Final = ".html"
_BETWEEN: Final = ".."
"""Between two ids, this makes the path of their comparison."""
_MOST: Final = 1000
"""The list has at most this many incidents, the newest."""


class SpoolPages:
    """Answers what is asked for below the address of the server.

    Args:
        invocation: knows where incidents are.
    """

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation

    def find(self, path: str) -> Answer | None:
        """Return what there is at a path; None: nothing.

        Raises:
            FlightError: an incident cannot be read.
        """
        if path == "":
            return Answer(HTML, spool_page(self._rows()))
        if path == "incidents.json":
            return Answer(JSON, msgspec.json.encode(self._rows()))
        if path.endswith(_SUFFIX):
            one, between, other = path.removesuffix(_SUFFIX).partition(_BETWEEN)
            return self._comparison(one, other) if between else self._page(one)
        return None

    def _entry(self, incident_id: str) -> SpoolEntry:
        entries = self._invocation.all_entries()
        entry = next((each for each in entries if each.incident_id == incident_id), None)
        if entry is None:
            raise IncidentNotFound(incident_id, self._invocation.spool_directory)
        return entry

    def _comparison(self, *ids: str) -> Answer:
        entries = [self._entry(each) for each in ids]
        comparison = compare(*(whole_report_of(self._invocation, entry) for entry in entries))
        return Answer(HTML, comparison_page(comparison, [_page_of(entry) for entry in entries]))

    def _page(self, incident_id: str) -> Answer:
        entry = self._entry(incident_id)
        incident = incident_of(self._invocation, entry, None)
        report = report_of(self._invocation, entry, incident, rows=40, requests=8, events=10)
        return Answer(HTML, html_page(report, incident, links_to(self._invocation, report)))

    def _rows(self) -> list[dict[str, Any]]:
        return [
            _row(self._invocation, entry) for entry in self._invocation.all_entries()[::-1][:_MOST]
        ]


def _row(invocation: Invocation, entry: SpoolEntry) -> dict[str, Any]:
    known = {
        "id": entry.incident_id,
        "opened": "",
        "service": "",
        "spans": "",
        "finding": "",
        "delivery": _delivery(entry),
    }
    try:
        manifest = invocation.manifest(entry)
    except NotAnIncident as error:
        return {
            **known,
            "what": f"unreadable: {one_line(error.why, 200)}",
            "delivery": "",
            "page": "",
        }
    findings = manifest.findings
    return {
        **known,
        "what": one_line(manifest.title, 200),
        "service": one_line(manifest.service_name, 80),
        "opened": moment(manifest.opened_ns),
        "spans": "" if manifest.is_unexamined else f"{manifest.spans:,}",
        "finding": one_line(findings[0].summary, 400) if findings else "",
        "page": _page_of(entry),
    }


def _delivery(entry: SpoolEntry) -> str:
    return "not recovered" if is_left_behind(entry) else short_delivery_words(entry.state)


def _page_of(entry: SpoolEntry) -> str:
    return f"{quote(entry.incident_id, safe='')}{_SUFFIX}"
