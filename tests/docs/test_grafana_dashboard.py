"""Dashboard and alerts ask for metrics that there are, under the names Prometheus gives them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from otel_flight.ground.guard import NotedError
from otel_flight.names.sent_attributes import INCIDENT_ID, KIND, KIND_INCIDENT
from otel_flight.running import self_metrics
from otel_flight.running.statistics import Statistics

yaml = pytest.importorskip("yaml")

DASHBOARD = Path(__file__).parents[2] / "docs" / "how-to" / "grafana-dashboard.json"
ALERTS = DASHBOARD.with_name("alert-rules.yaml")
SOURCES = DASHBOARD.with_name("grafana-datasources.yaml")
NOTIFICATION = (
    "WARNING otel-flight kept incident 20261129-101500-4f21 of shop: slow local root GET /."
)
"""As tests/unit/notification/test_notifier.py wants it."""
OF_TEMPO = "tempo_discarded_spans_total"
"""Its own metric; tests/integration/backends/test_large_trace.py asks the real one for it."""
OF_PROMETHEUS = {"job", "instance"}
UNITS = {"By": "bytes", "s": "seconds"}
SOMETHING = Statistics(
    firings={("manual", "opened"): 1, ("manual", "budget"): 1},
    sources={"gc": {"collections.2": 1, "pause_ns.2": 1}},
    errors=(NotedError("on_end", 1, "", "", ""),),
)
"""Of which every instrument has something to observe."""


def loaded() -> dict[str, Any]:
    """Return the dashboard."""
    found: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return found


def shown_by_prometheus(name: str, unit: str, *, is_counter: bool) -> str:
    """Return what Prometheus calls a metric.

    Source: OpenTelemetry specification, Prometheus and OpenMetrics Compatibility: characters it
    does not take become underscores, the unit is appended unless it is an annotation in braces,
    and `_total` to a counter.
    """
    words = [re.sub(r"[^a-zA-Z0-9_:]", "_", name)]
    if not unit.startswith("{"):
        words.append(UNITS[unit])
    if is_counter:
        words.append("total")
    return "_".join(words)


def metrics() -> dict[str, set[str]]:
    """Return the labels of each metric of ours, by its name in Prometheus."""
    found = {}
    for instruments, is_counter in (
        (self_metrics._COUNTERS, True),
        (self_metrics._GAUGES, False),
    ):
        for name, unit, _, read in instruments:
            labels = {label for each in read(SOMETHING) for label in each.attributes or ()}
            found[shown_by_prometheus(name, unit, is_counter=is_counter)] = {
                label.replace(".", "_") for label in labels
            }
    return found


def expressions() -> list[str]:
    """Return all that is asked of Prometheus."""
    dashboard = loaded()
    return [
        target["expr"]
        for panel in dashboard["panels"]
        for target in panel["targets"]
        if "expr" in target
    ]


def alerts() -> list[dict[str, Any]]:
    """Return the rules of the alerts."""
    (group,) = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def named_in(expression: str) -> set[str]:
    """Return the metrics that an expression names."""
    return set(re.findall(r"\b(?:flight_recorder|tempo)_\w+(?=[{\[])", expression))


@pytest.mark.parametrize("expression", [*expressions(), *(alert["expr"] for alert in alerts())])
def test_it_asks_for_metrics_that_there_are(expression: str) -> None:
    """Each expression names one metric of ours, or of Tempo's, with labels that it has."""
    (name,) = named_in(expression)

    labels = set(re.findall(r"\b(?:flight_recorder|cpython)_\w+", expression)) - {name}
    assert labels <= {**metrics(), OF_TEMPO: set()}[name]


def test_every_metric_is_shown() -> None:
    """None of ours is left out."""
    shown = set().union(*map(named_in, expressions()))

    assert shown == {*metrics(), OF_TEMPO}


def test_legends_name_labels_that_are_there() -> None:
    """What a legend shows, the expression has left of the labels."""
    for panel in loaded()["panels"]:
        for target in panel["targets"]:
            kept = re.search(r"by \(([^)]*)\)", target.get("expr", ""))
            names = set(re.findall(r"{{(\w+)}}", target.get("legendFormat", "")))
            assert names <= (set(kept[1].split(", ")) if kept else OF_PROMETHEUS), panel["title"]


def test_the_services_are_those_with_a_recorder() -> None:
    """The list to choose from is made of a metric that every recorder has."""
    (query,) = [
        each["query"]["query"] for each in loaded()["templating"]["list"] if each["type"] == "query"
    ]

    found = re.fullmatch(r"label_values\((\w+), job\)", query)
    assert found is not None
    assert found[1] in metrics()


def test_incidents_are_listed_from_tempo() -> None:
    """One panel is of Tempo, with the query that lists incidents."""
    queries = [
        target["query"]
        for panel in loaded()["panels"]
        for target in panel["targets"]
        if target["datasource"]["type"] == "tempo"
    ]

    assert queries == [f'{{ span.{KIND} = "{KIND_INCIDENT}" }}']


def test_panels_do_not_overlap() -> None:
    """Each has an id and a place of its own, within the 24 columns there are."""
    panels = loaded()["panels"]
    places = [panel["gridPos"] for panel in panels]
    cells = [
        (column, row)
        for place in places
        for column in range(place["x"], place["x"] + place["w"])
        for row in range(place["y"], place["y"] + place["h"])
    ]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len(set(cells)) == len(cells)
    assert max(column for column, _ in cells) < 24


def test_alerts_speak_of_labels_that_are_there() -> None:
    """Each has a name of its own, a severity and a sentence; it names what its expression keeps."""
    for alert in alerts():
        kept = re.search(r"by \(([^)]*)\)", alert["expr"])
        assert kept is not None
        words = " ".join(alert["annotations"].values())
        assert set(re.findall(r"{{ \$labels\.(\w+) }}", words)) <= set(kept[1].split(", "))
        assert alert["labels"]["severity"] in {"info", "warning"}
    assert len({alert["alert"] for alert in alerts()}) == len(alerts())


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_alerts_ask_for_values_that_there_are(alert: dict[str, Any]) -> None:
    """For a value that its metric never has, an alert would never fire."""
    seen = {
        (label.replace(".", "_"), value)
        for name, unit, _, read in self_metrics._COUNTERS
        if shown_by_prometheus(name, unit, is_counter=True) in named_in(alert["expr"])
        for each in read(SOMETHING)
        for label, value in (each.attributes or {}).items()
    }

    assert set(re.findall(r'(\w+)="(\w+)"', alert["expr"])) <= seen


def test_a_line_in_the_log_leads_to_its_incident() -> None:
    """The link finds the id in what the recorder says, and asks for attributes that are sent."""
    sources = yaml.safe_load(SOURCES.read_text(encoding="utf-8"))["datasources"]
    (loki,) = (each for each in sources if each["type"] == "loki")
    link = loki["jsonData"]["derivedFields"][0]

    found = re.search(link["matcherRegex"], NOTIFICATION)

    assert found is not None
    query = link["url"].replace("$${__value.raw}", found[1])
    assert query == (
        f'{{ span.{KIND} = "{KIND_INCIDENT}" && span.{INCIDENT_ID} = "20261129-101500-4f21" }}'
    )
