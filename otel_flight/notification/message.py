"""What is said of an incident to someone who has not seen it: what, where, why, where to look."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

import msgspec

from otel_flight.delivery.otlp.derived_ids import derived_trace_id
from otel_flight.incidents.manifest import Manifest
from otel_flight.names.sent_attributes import HOST_NAME
from otel_flight.records.ids import trace_text
from otel_flight.report.model.backend_links import INCIDENT, TRIGGER, Whereabouts, backend_links
from otel_flight.settings.fields import CoreSettings
from otel_flight.words import one_line

_LONGEST_TEXT: Final = 300
_ALERTS_PATH: Final = "/api/v2/alerts"
"""A URL whose path ends so is Alertmanager's."""
_ALERT_NAME: Final = "FlightRecorderIncident"


class Message(msgspec.Struct, frozen=True):
    """An incident as JSON. Chat servers that take Slack's messages show its `text`."""

    text: str
    """Everything that a person needs, in a few lines."""
    incident_id: str
    service: str
    title: str
    """What happened, of low cardinality."""
    trigger: str
    """The name of the trigger."""
    trace_id: str
    """The trace of the request that fired; empty when none did."""
    fired_at: str
    """When that was: ISO 8601, UTC."""
    finding: str
    """The first finding; empty when there is none."""
    link: str
    """The page of the trace, in Grafana or else in Jaeger; empty where neither address is set."""
    file: str
    """The incident's file; empty when it is in memory only."""
    host: str


def message_of(manifest: Manifest, path: Path | None, settings: CoreSettings) -> Message:
    """Return what to say of an incident.

    Args:
        manifest: of the incident.
        path: its file; None: it is in memory only.
        settings: the addresses of Jaeger and Grafana.
    """
    cause = manifest.trigger
    finding = one_line(manifest.findings[0].summary, _LONGEST_TEXT) if manifest.findings else ""
    link = _link(manifest, settings)
    service = manifest.service_name
    lines = [
        f"{service}: {one_line(manifest.title, _LONGEST_TEXT)}",
        finding,
        link or f"otel-flight show {manifest.incident_id}",
    ]
    return Message(
        text="\n".join(line for line in lines if line),
        incident_id=manifest.incident_id,
        service=service,
        title=one_line(manifest.title, _LONGEST_TEXT),
        trigger=cause.trigger if cause else "",
        trace_id=cause.trace_id if cause else "",
        fired_at=_iso(manifest.fired_ns),
        finding=finding,
        link=link,
        file="" if path is None else str(path),
        host=str(manifest.resource.get(HOST_NAME, "")),
    )


def body_for(target: str, message: Message) -> bytes:
    """Return the JSON that a target takes: Alertmanager's list of alerts, or the message."""
    if not target.partition("?")[0].rstrip("/").endswith(_ALERTS_PATH):
        return msgspec.json.encode(message)
    labels = {
        "alertname": _ALERT_NAME,
        "service": message.service,
        "trigger": message.trigger,
        "title": message.title,
        "instance": message.host,
    }
    alert: dict[str, Any] = {
        "labels": {name: value for name, value in labels.items() if value},
        "annotations": {
            "summary": message.text.partition("\n")[0],
            "description": message.finding,
            "incident_id": message.incident_id,
            "trace_id": message.trace_id,
        },
        "startsAt": message.fired_at,
    }
    if message.link:
        alert["generatorURL"] = message.link
    return msgspec.json.encode([alert])


def _link(manifest: Manifest, settings: CoreSettings) -> str:
    trace_id = trace_text(derived_trace_id(manifest.incident_id))
    place = Whereabouts.of(manifest, trace_id, manifest.coverage.start_ns)
    links = backend_links(place, jaeger_url=settings.jaeger_url, grafana_url=settings.grafana_url)
    found = links.grafana or links.jaeger
    return found.get(TRIGGER) or found.get(INCIDENT) or ""


def _iso(wall_ns: int) -> str:
    moment = datetime.fromtimestamp(wall_ns / 1e9, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
