"""What a span that fired says of its incident: what was found, and a link to the incident's trace.

Whoever finds the span, and not the incident, reads there why it was slow or failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from otel_flight.delivery.otlp.derived_ids import derived_span_id, derived_trace_id
from otel_flight.delivery.otlp.values import most_attributes_bytes, most_link_bytes, texts_under
from otel_flight.incidents.manifest import Cause, Manifest
from otel_flight.names import sent_attributes as names
from otel_flight.records.records import Link, OpenSpan, Span

_MOST_FINDINGS: Final = 5
"""A span has at most this many findings; the incident has them all."""
_LONGEST_TEXT: Final = 2048
_SAMPLED: Final = 1
_LOW_64: Final = (1 << 64) - 1

_Key = tuple[int, int]


class CauseNotes:
    """The notes of one incident's causes, by trace and span.

    Findings are on the span of the cause that they are about: of several in one trace, the first.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._attributes: dict[_Key, dict[str, str]] = {}
        self._link = _link_to_incident(manifest.incident_id)
        told = set[int]()
        for cause in manifest.causes:
            if cause.trace and cause.span:
                is_first = cause is manifest.causes[0]
                found = {} if cause.trace in told else _found(manifest, cause, is_first)
                told.add(cause.trace)
                self._attributes.setdefault((cause.trace, cause.span), found)

    def most_bytes(self) -> Mapping[int, int]:
        """Return, by trace and span id in one number, at least the bytes of its notes as OTLP."""
        link = most_link_bytes(self._link)
        return {
            trace_id << 64 | span_id: link + most_attributes_bytes(attributes)
            for (trace_id, span_id), attributes in self._attributes.items()
        }

    def add_to(self, record: Span | OpenSpan) -> None:
        """Add to the attributes and links of a span what is to be said of it, if anything."""
        found = self._attributes.get((record.trace_id, record.span_id))
        if found is not None:
            record.attributes.update(found)
            record.links = (*record.links, self._link)


def _found(manifest: Manifest, cause: Cause, is_first: bool) -> dict[str, str]:
    about = {cause.trace_id, ""} if is_first else {cause.trace_id}
    attributes: dict[str, str] = {}
    findings = [finding for finding in manifest.findings if finding.about in about]
    for position, finding in enumerate(findings[:_MOST_FINDINGS], 1):
        key = f"{names.FINDING_PREFIX}{position}"
        attributes.update(texts_under(key, finding.summary[:_LONGEST_TEXT]))
        attributes[f"{key}.rule"] = finding.rule
    return attributes


def _link_to_incident(incident_id: str) -> Link:
    trace_id, span_id = derived_trace_id(incident_id), derived_span_id(incident_id, "root")
    attributes = {names.LINK: names.LINK_INCIDENT}
    return Link(trace_id >> 64, trace_id & _LOW_64, span_id, _SAMPLED, attributes)
