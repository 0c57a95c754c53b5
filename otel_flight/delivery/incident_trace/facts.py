"""What the root span of an incident's trace says in its attributes and events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from opentelemetry.sdk.trace import Event

from otel_flight.delivery.otlp.values import make_portable, portable_time_ns, texts_under
from otel_flight.incidents.manifest import Cause, Manifest
from otel_flight.names import sent_attributes as names

_MOST_FINDINGS: Final = 20
_MOST_CAUSES: Final = 32
_MOST_CAUSE_ATTRIBUTES: Final = 64
_LONGEST_TEXT: Final = 16 * 1024

_SEMANTIC_PROCESS_NAMES: Final = {
    "pid": names.PROCESS_ID,
    "python": names.RUNTIME_VERSION,
    "implementation": names.RUNTIME_NAME,
}


def incident_facts(manifest: Manifest) -> dict[str, Any]:
    """Return the manifest as attributes."""
    trigger = manifest.trigger
    facts: dict[str, Any] = {}
    if trigger is not None:
        facts[names.INCIDENT_TRIGGER] = trigger.trigger
        facts.update(_whereabouts(trigger))
        facts.update(_cause_attributes(trigger))
    if manifest.processes:
        facts[names.INCIDENT_PROCESSES] = [entry.pid for entry in manifest.processes]
    if manifest.previous_incident_id:
        facts[names.INCIDENT_PREVIOUS] = manifest.previous_incident_id
    facts.update(_window_facts(manifest))
    for key, count in msgspec.structs.asdict(manifest.losses).items():
        if count:
            facts[names.LOST_PREFIX + key] = count
    for key, value in manifest.process.items():
        name = _SEMANTIC_PROCESS_NAMES.get(key, names.PROCESS_PREFIX + key)
        facts.update(_attribute(name, value))
    for position, finding in enumerate(manifest.findings[:_MOST_FINDINGS], 1):
        key = f"{names.FINDING_PREFIX}{position}"
        facts.update(texts_under(key, finding.summary[:_LONGEST_TEXT]))
        facts[f"{key}.rule"] = finding.rule
    make_portable(facts)
    return facts


def cause_events(manifest: Manifest) -> list[Event]:
    """Return one event for each cause, in the order they fired."""
    return [
        Event(
            cause.reason,
            {
                names.TRIGGER: cause.trigger,
                **_whereabouts(cause),
                **({names.TRACE_ID: cause.trace_id} if cause.trace_id else {}),
                **({names.SPAN_ID: cause.span_id} if cause.span_id else {}),
                **({names.CAUSE_REPEATS: cause.repeats} if cause.repeats else {}),
                **_cause_attributes(cause),
            },
            portable_time_ns(cause.time_ns),
        )
        for cause in manifest.causes[:_MOST_CAUSES]
    ]


def _whereabouts(cause: Cause) -> dict[str, Any]:
    """Return what it happened to, and in which span below that."""
    said = {names.INCIDENT_SUBJECT: cause.subject, names.INCIDENT_ORIGIN: cause.origin}
    facts: dict[str, Any] = {}
    for key, text in said.items():
        if text:
            facts.update(texts_under(key, text[:_LONGEST_TEXT]))
    return facts


def _window_facts(manifest: Manifest) -> Mapping[str, Any]:
    coverage = manifest.coverage
    facts = {
        "requested_seconds": coverage.requested_seconds,
        "covered_seconds": (coverage.end_ns - coverage.start_ns) / 1e9
        if coverage.start_ns
        else 0.0,
        "is_complete": coverage.is_complete,
        "spans": manifest.spans,
        "open_spans": manifest.open_spans,
        "bytes": manifest.window_bytes,
    }
    return {names.WINDOW_PREFIX + key: value for key, value in facts.items()}


def _cause_attributes(cause: Cause) -> dict[str, Any]:
    """Return what the trigger, or the caller of the manual one, had to say."""
    found: dict[str, Any] = {}
    for key, value in list(cause.attributes.items())[:_MOST_CAUSE_ATTRIBUTES]:
        # A trigger's own names are ours already; a caller's could be anything.
        own = key if key.startswith(names.PREFIX) else names.CAUSE_PREFIX + key
        found.update(_attribute(own, value))
    make_portable(found)
    return found


def _attribute(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return dict(texts_under(name, value[:_LONGEST_TEXT]))
    if isinstance(value, bool | int | float):
        return {name: value}
    return dict(texts_under(name, str(value)[:_LONGEST_TEXT])) if value is not None else {}
