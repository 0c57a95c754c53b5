"""Links that open an incident in the web pages of Jaeger and Grafana, and queries for Tempo.

Nobody is asked: the ids and times are in the incident's file. So a link is right before anything
arrived there, and stays right for as long as the backend keeps its traces.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from typing_extensions import Self

from otel_flight.incidents.manifest import Manifest
from otel_flight.names import sent_attributes as names

TRIGGER: Final = "trigger"
INCIDENT: Final = "incident"
SPANS: Final = "spans"

_DATASOURCE: Final = "tempo"
_MOST_TRACES: Final = 1500
"""Jaeger's search page takes at most this many traces."""
_MARGIN_NS: Final = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Whereabouts:
    """What it takes to find an incident in a backend.

    Attributes:
        service: `service.name` of its spans.
        incident_id: its id.
        incident_trace_id: the trace that stands for it; ids are hexadecimal digits.
        trigger_trace_id: the trace of the span that fired; empty when none did.
        trigger_span_id: that span.
        start_ns: when the earliest of its spans started.
        end_ns: when it closed.
    """

    service: str
    incident_id: str
    incident_trace_id: str
    trigger_trace_id: str = ""
    trigger_span_id: str = ""
    start_ns: int = 0
    end_ns: int = 0

    @classmethod
    def of(cls, manifest: Manifest, incident_trace_id: str, start_ns: int) -> Self:
        """Return what it takes to find the incident of a manifest."""
        trigger = manifest.trigger
        return cls(
            service=manifest.service_name,
            incident_id=manifest.incident_id,
            incident_trace_id=incident_trace_id,
            trigger_trace_id=trigger.trace_id if trigger else "",
            trigger_span_id=trigger.span_id if trigger else "",
            start_ns=start_ns,
            end_ns=manifest.closed_ns,
        )


@dataclass(frozen=True, kw_only=True)
class BackendLinks:
    """Where to look, by what is there: `trigger`, `incident` and `spans`.

    Attributes:
        jaeger: URLs of Jaeger's pages; empty when its address is not known.
        grafana: URLs of Grafana's Explore page; empty when its address is not known.
        traceql: queries for Tempo, which need no address.
    """

    jaeger: Mapping[str, str] = field(default_factory=dict)
    grafana: Mapping[str, str] = field(default_factory=dict)
    traceql: Mapping[str, str] = field(default_factory=dict)


def backend_links(
    place: Whereabouts, *, jaeger_url: str | None, grafana_url: str | None
) -> BackendLinks:
    """Return everything that leads to an incident.

    Args:
        place: of the incident.
        jaeger_url: where Jaeger's pages are, below whatever path; None: not known.
        grafana_url: the same of Grafana. `?datasource=` names the Tempo data source, by name or
            uid, `tempo` by default; what else is in the query, as `orgId`, is kept.
    """
    return BackendLinks(
        jaeger=_jaeger_links(jaeger_url, place) if jaeger_url else {},
        grafana=_grafana_links(grafana_url, place) if grafana_url else {},
        traceql=_traceql_queries(place),
    )


def _jaeger_links(base_url: str, place: Whereabouts) -> dict[str, str]:
    links = {}
    if place.trigger_trace_id:
        # Its page marks and opens what it finds, and finds a span by its id.
        marked = {"uiFind": place.trigger_span_id} if place.trigger_span_id else {}
        links[TRIGGER] = _under(base_url, f"/trace/{place.trigger_trace_id}", marked)
    links[INCIDENT] = _under(base_url, f"/trace/{place.incident_trace_id}", {})
    if place.service:  # without one Jaeger does not search
        search = {
            "service": place.service,
            "tags": json.dumps({names.INCIDENT_ID: place.incident_id}),
            "lookback": "custom",
            "start": str(_from_ns(place) // 1000),
            "end": str(_to_ns(place) // 1000),
            "limit": str(_MOST_TRACES),
        }
        links[SPANS] = _under(base_url, "/search", search)
    return links


def _grafana_links(base_url: str, place: Whereabouts) -> dict[str, str]:
    given = dict(parse_qsl(urlsplit(base_url).query))
    source = given.pop("datasource", _DATASOURCE)
    queries = {INCIDENT: place.incident_trace_id, SPANS: _traceql_queries(place)[SPANS]}
    if place.trigger_trace_id:
        queries = {TRIGGER: place.trigger_trace_id, **queries}  # a trace's id alone opens it
    links = {}
    for what, query in queries.items():
        pane: dict[str, object] = {
            "datasource": source,
            "queries": [
                {
                    "refId": "A",
                    "datasource": {"type": "tempo", "uid": source},
                    "queryType": "traceql",
                    "query": query,
                    "limit": _MOST_TRACES,
                    "tableType": "traces",
                }
            ],
            "range": {
                "from": str(_from_ns(place) // 1_000_000),
                "to": str(_to_ns(place) // 1_000_000),
            },
        }
        if what == TRIGGER and place.trigger_span_id:
            pane["panelsState"] = {"trace": {"spanId": place.trigger_span_id}}
        panes = json.dumps({"incident": pane}, separators=(",", ":"))
        links[what] = _under(base_url, "/explore", {"schemaVersion": "1", **given, "panes": panes})
    return links


def _traceql_queries(place: Whereabouts) -> dict[str, str]:
    of_incident = f"span.{names.INCIDENT_ID} = {json.dumps(place.incident_id)}"
    queries = {}
    if place.trigger_trace_id:
        # Tempo 2.9 compares with an id without its leading zeros; one that does not must find it.
        ids = sorted({place.trigger_trace_id, place.trigger_trace_id.lstrip("0")})
        queries[TRIGGER] = f"{{ {' || '.join(f'trace:id = {json.dumps(each)}' for each in ids)} }}"
    queries[INCIDENT] = f'{{ {of_incident} && span.{names.KIND} = "{names.KIND_INCIDENT}" }}'
    queries[SPANS] = f"{{ {of_incident} }}"
    return queries


def _from_ns(place: Whereabouts) -> int:
    return max(0, place.start_ns - _MARGIN_NS)


def _to_ns(place: Whereabouts) -> int:
    return max(0, place.end_ns) + _MARGIN_NS


def _under(base_url: str, path: str, query: Mapping[str, str]) -> str:
    """Return the URL of a page; `%20` for a blank, as not every page takes `+` for one."""
    parts = urlsplit(base_url)
    whole = parts.path.rstrip("/") + path
    written = urlencode(query, quote_via=quote, safe="")
    return urlunsplit(parts._replace(path=whole, query=written, fragment=""))
