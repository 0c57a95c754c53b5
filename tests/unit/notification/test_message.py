"""What is said of an incident."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from otel_flight.assembly import Settings
from otel_flight.incidents.manifest import Cause, Finding, Manifest
from otel_flight.notification.message import body_for, message_of

FIRED_NS = 1_795_000_000_123_456_789
MANIFEST = Manifest(
    incident_id="20261118-110640-1a2b",
    service_name="shop",
    causes=[
        Cause(
            trigger="slow_root",
            reason="slow local root",
            subject="GET /report",
            time_ns=FIRED_NS,
            trace_id="0" * 31 + "1",
            span_id="0" * 15 + "2",
        )
    ],
    closed_ns=FIRED_NS + 2_000_000_000,
    resource={"host.name": "web-1"},
    findings=[Finding(rule="lock_wait", summary="`GET /report` waited\nfor a lock")],
)
FILE = Path("/spool/20261118-110640-1a2b-shop.flight")


def test_it_says_what_where_why_and_where_to_look() -> None:
    """In a few lines, and each by itself for programs."""
    settings = Settings(grafana_url="http://grafana", jaeger_url="http://jaeger")

    message = message_of(MANIFEST, FILE, settings)

    lines = message.text.split("\n")
    assert lines[:2] == ["shop: slow local root GET /report", "`GET /report` waited for a lock"]
    assert lines[2] == message.link
    assert message.link.startswith("http://grafana/explore")
    assert (message.incident_id, message.trigger) == (MANIFEST.incident_id, "slow_root")
    assert message.fired_at == "2026-11-18T11:06:40.123Z"
    assert (message.host, message.file) == ("web-1", str(FILE))


def test_without_addresses_it_says_how_to_look() -> None:
    """On the machine itself."""
    message = message_of(MANIFEST, None, Settings())

    assert message.text.endswith("\notel-flight show 20261118-110640-1a2b")
    assert (message.link, message.file) == ("", "")
    jaeger = message_of(MANIFEST, None, Settings(jaeger_url="http://jaeger"))
    assert jaeger.link.startswith("http://jaeger/trace/" + "0" * 31 + "1")


def test_nothing_need_be_known() -> None:
    """Of an incident without cause and findings."""
    message = message_of(Manifest(incident_id="1-2-3"), None, Settings())

    assert message.text == ": snapshot\notel-flight show 1-2-3"


def test_chat_servers_show_the_text() -> None:
    """The body is the message, of which they know that field."""
    message = message_of(MANIFEST, FILE, Settings())

    body = json.loads(body_for("https://hooks.slack.com/services/T/B/X", message))

    assert body["text"] == message.text
    assert body["trace_id"] == "0" * 31 + "1"


def test_alertmanager_takes_alerts() -> None:
    """Those that its API describes: labels that make an alert what it is, and annotations."""
    settings = Settings(jaeger_url="http://jaeger")
    message = message_of(MANIFEST, FILE, settings)

    (alert,) = json.loads(body_for("http://am:9093/api/v2/alerts", message))

    assert alert["labels"] == {
        "alertname": "FlightRecorderIncident",
        "service": "shop",
        "trigger": "slow_root",
        "title": "slow local root GET /report",
        "instance": "web-1",
    }
    assert alert["annotations"]["description"] == "`GET /report` waited for a lock"
    assert alert["startsAt"] == message.fired_at
    assert alert["generatorURL"] == message.link


def test_alerts_are_as_alertmanager_describes_them() -> None:
    """Its API of version 2: texts only, a time, an address; of any incident."""
    jsonschema = pytest.importorskip("jsonschema")
    texts = {"type": "object", "additionalProperties": {"type": "string"}}
    moment = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"}
    alert = {
        "type": "object",
        "required": ["labels"],
        "properties": {
            "labels": {**texts, "minProperties": 1},
            "annotations": texts,
            "startsAt": moment,
            "endsAt": moment,
            "generatorURL": {"type": "string", "pattern": "^https?://"},
        },
    }

    for manifest in (MANIFEST, Manifest(incident_id="1-2-3")):
        for settings in (Settings(), Settings(jaeger_url="http://jaeger")):
            body = body_for("http://am/api/v2/alerts", message_of(manifest, None, settings))
            jsonschema.validate(json.loads(body), {"type": "array", "items": alert})
