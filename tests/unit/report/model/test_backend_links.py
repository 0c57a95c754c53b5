"""Links into Jaeger and Grafana, taken apart as their pages take them apart."""

from __future__ import annotations

import dataclasses
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from otel_flight.incidents.manifest import Cause, Explanation, Finding, Manifest
from otel_flight.names.sent_attributes import INCIDENT_ID, KIND, KIND_INCIDENT
from otel_flight.report.model.backend_links import BackendLinks, Whereabouts, backend_links

TRIGGER_TRACE = "5af7651916cd43dd8448eb211c80319c"
INCIDENT_TRACE = "00f067aa0ba902b74bf92f3577b34da6"
PLACE = Whereabouts(
    service="the shop & more",
    incident_id="20260101-100000-3f9a1c",
    incident_trace_id=INCIDENT_TRACE,
    trigger_trace_id=TRIGGER_TRACE,
    trigger_span_id="b7ad6b7169203331",
    start_ns=1_767_261_600_000_000_000,
    end_ns=1_767_261_660_000_000_000,
)
SNAPSHOT = dataclasses.replace(PLACE, trigger_trace_id="", trigger_span_id="")


def links(
    place: Whereabouts = PLACE,
    jaeger_url: str | None = "http://jaeger:16686",
    grafana_url: str | None = "http://grafana:3000",
) -> BackendLinks:
    """Return the links to the incident."""
    return backend_links(place, jaeger_url=jaeger_url, grafana_url=grafana_url)


def query_of(url: str) -> dict[str, str]:
    """Return the parameters of a URL; each is there once."""
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True, strict_parsing=True)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def pane_of(url: str) -> dict[str, Any]:
    """Return what Grafana's Explore page is told to show."""
    (pane,) = json.loads(query_of(url)["panes"]).values()
    assert isinstance(pane, dict)
    return pane


def test_jaeger_opens_the_traces_by_their_ids() -> None:
    """The page of each trace, the span that fired marked in the trigger's."""
    found = links().jaeger

    trigger, incident = found["trigger"], found["incident"]
    assert trigger == f"http://jaeger:16686/trace/{TRIGGER_TRACE}?uiFind=b7ad6b7169203331"
    assert incident.startswith(f"http://jaeger:16686/trace/{INCIDENT_TRACE}?")
    assert query_of(incident) == {"uiFind": f"{TRIGGER_TRACE} {KIND}={KIND_INCIDENT}"}
    assert links(SNAPSHOT).jaeger["incident"] == f"http://jaeger:16686/trace/{INCIDENT_TRACE}"


def test_jaeger_opens_what_explains_the_trigger() -> None:
    """Its page closes what is below all that it does not find, so the telling spans are found."""
    cause = Cause(trigger="slow_root", reason="slow", trace_id="a1", span_id="b1")
    manifest = Manifest(
        incident_id="1",
        causes=[cause],
        findings=[
            Finding(
                rule="other", summary="of another request", evidence={"span_id": "c0"}, about="a2"
            ),
            Finding(rule="lock", summary="of the trigger itself", evidence={"span_id": "b1"}),
            Finding(rule="slow child", summary="of a child", evidence={"span_id": "c1"}),
        ],
        explanations=[
            Explanation(kind="inferred", name="f", trace_id="a1", parent_span_id="c1", id="d1"),
            Explanation(kind="inferred", name="g", trace_id="a1", parent_span_id="d1", id="d2"),
            Explanation(
                kind="pause", name="gc", trace_id="a1", parent_span_id="b1", id="d3", end_ns=5
            ),
            Explanation(kind="pause", name="gc", trace_id="a9", parent_span_id="b9", id="d9"),
        ],
    )

    place = Whereabouts.of(manifest, INCIDENT_TRACE, 0)

    assert query_of(links(place).jaeger["trigger"]) == {"uiFind": "b1 c1 d3"}


def test_jaeger_searches_for_the_spans_by_tag_and_time() -> None:
    """The search names service and tag, and the time in microseconds, a second around it."""
    url = links().jaeger["spans"]

    query = query_of(url)
    assert url.startswith("http://jaeger:16686/search?service=the%20shop%20%26%20more&")
    assert json.loads(query["tags"]) == {INCIDENT_ID: PLACE.incident_id}
    assert query["lookback"] == "custom"
    assert (query["start"], query["end"]) == ("1767261599000000", "1767261661000000")


def test_grafana_opens_the_traces_by_their_ids() -> None:
    """Explore is given a trace's id as its query, and the span that fired to show."""
    found = links().grafana

    trigger, incident = pane_of(found["trigger"]), pane_of(found["incident"])
    assert [each["query"] for each in trigger["queries"]] == [TRIGGER_TRACE]
    assert [each["query"] for each in incident["queries"]] == [INCIDENT_TRACE]
    assert trigger["panelsState"] == {"trace": {"spanId": "b7ad6b7169203331"}}
    assert "panelsState" not in incident


def test_grafana_searches_for_the_spans_by_traceql_and_time() -> None:
    """The query is the one printed by itself; the time is in milliseconds, a second around it."""
    found = links()

    pane = pane_of(found.grafana["spans"])
    assert [each["query"] for each in pane["queries"]] == [found.traceql["spans"]]
    assert [each["queryType"] for each in pane["queries"]] == ["traceql"]
    assert pane["range"] == {"from": "1767261599000", "to": "1767261661000"}


@pytest.mark.parametrize(
    ("url", "source", "others"),
    [
        ("https://grafana.example/", "tempo", {"schemaVersion": "1"}),
        (
            "https://grafana.example/?datasource=Tempo%20%28eu%29&orgId=3",
            "Tempo (eu)",
            {"schemaVersion": "1", "orgId": "3"},
        ),
    ],
)
def test_grafanas_data_source_can_be_named(url: str, source: str, others: dict[str, str]) -> None:
    """`?datasource=` is the data source; what else is in the query stays there."""
    found = links(grafana_url=url).grafana["incident"]

    pane, query = pane_of(found), query_of(found)
    assert pane["datasource"] == source
    assert [each["datasource"] for each in pane["queries"]] == [{"type": "tempo", "uid": source}]
    assert {name: value for name, value in query.items() if name != "panes"} == others


@pytest.mark.parametrize("base", ["https://example.org/tools", "https://example.org/tools/"])
def test_a_path_before_the_pages_is_kept(base: str) -> None:
    """Both may be served below a path."""
    found = links(jaeger_url=base, grafana_url=base)

    assert found.jaeger["incident"].startswith(f"https://example.org/tools/trace/{INCIDENT_TRACE}?")
    assert found.grafana["incident"].startswith("https://example.org/tools/explore?")


def test_the_queries_need_no_address() -> None:
    """Without addresses there are no links, and the TraceQL queries all the same."""
    found = links(jaeger_url=None, grafana_url=None)

    assert found.jaeger == found.grafana == {}
    of_incident = f'span.{INCIDENT_ID} = "{PLACE.incident_id}"'
    assert found.traceql == {
        "trigger": f'{{ trace:id = "{TRIGGER_TRACE}" }}',
        "incident": f'{{ {of_incident} && span.{KIND} = "{KIND_INCIDENT}" }}',
        "spans": f"{{ {of_incident} }}",
    }


def test_a_trace_id_is_asked_for_with_and_without_leading_zeros() -> None:
    """Tempo does not know one that begins with a zero, as one in sixteen does, as it is."""
    found = links(dataclasses.replace(PLACE, trigger_trace_id="000a" + TRIGGER_TRACE[4:]))

    rest = TRIGGER_TRACE[4:]
    assert found.traceql["trigger"] == f'{{ trace:id = "000a{rest}" || trace:id = "a{rest}" }}'
    assert pane_of(found.grafana["trigger"])["queries"][0]["query"] == f"000a{rest}"


def test_an_incident_that_no_span_fired_has_no_trigger() -> None:
    """A snapshot leads to the incident and its spans alone."""
    found = links(SNAPSHOT)

    assert list(found.jaeger) == list(found.grafana) == list(found.traceql) == ["incident", "spans"]


def test_without_a_service_jaeger_cannot_search() -> None:
    """Jaeger asks for a service; what needs none is still there."""
    found = links(dataclasses.replace(PLACE, service=""))

    assert list(found.jaeger) == ["trigger", "incident"]
    assert "spans" in found.grafana


def test_a_time_that_makes_no_sense_does_no_harm() -> None:
    """A span can start at zero, as the SDK takes whatever it is given."""
    found = links(dataclasses.replace(PLACE, start_ns=0, end_ns=-5))

    assert query_of(found.jaeger["spans"])["start"] == "0"
    assert pane_of(found.grafana["spans"])["range"] == {"from": "0", "to": "1000"}
