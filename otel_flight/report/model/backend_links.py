"""Links that open an incident in the web pages of Jaeger and Grafana, and queries for Tempo.

Nobody is asked: the ids and times are in the incident's file. So a link is right before anything
arrived there, and stays right for as long as the backend keeps its traces.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from typing_extensions import Self

from otel_flight.incidents.manifest import Cause, Manifest
from otel_flight.names import sent_attributes as names
from otel_flight.names.evidence import SPAN_ID

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
        telling_span_ids: of the spans below it that say why, the most telling first.
        start_ns: when the earliest of its spans started.
        end_ns: when it closed.
    """

    service: str
    incident_id: str
    incident_trace_id: str
    trigger_trace_id: str = ""
    trigger_span_id: str = ""
    telling_span_ids: Sequence[str] = ()
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
            telling_span_ids=_telling_span_ids(manifest, trigger) if trigger else (),
            start_ns=start_ns,
            end_ns=manifest.closed_ns,
        )


def _telling_span_ids(manifest: Manifest, trigger: Cause) -> list[str]:
    """Return the span that the first finding names, and the longest of the innermost explanations.

    Each only if it is below the trigger's span.
    """
    named = [str(each.evidence.get(SPAN_ID, "")) for each in manifest.findings if not each.about]
    own = [each for each in manifest.explanations if each.trace_id == trigger.trace_id and each.id]
    parents = {each.parent_span_id for each in own}
    innermost = [each for each in own if each.id not in parents]
    found = [each for each in named if each not in {"", trigger.span_id}][:1]
    if innermost:
        found.append(max(innermost, key=lambda each: each.end_ns - each.start_ns).id)
    return found


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
        # Its page opens what it finds, by an id or a tag, and closes what is below all others: of
        # the trigger alone nothing would be seen but its own row.
        marked = _found(place.trigger_span_id, *place.telling_span_ids)
        links[TRIGGER] = _under(base_url, f"/trace/{place.trigger_trace_id}", marked)
    # What was found, and below it the request that fired, among the others.
    marked = _found(place.trigger_trace_id, f"{names.KIND}={names.KIND_INCIDENT}")
    links[INCIDENT] = _under(base_url, f"/trace/{place.incident_trace_id}", marked)
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


def _found(*wanted: str) -> dict[str, str]:
    return {"uiFind": " ".join(wanted)} if wanted[0] else {}


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
