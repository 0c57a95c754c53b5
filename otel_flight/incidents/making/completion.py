"""What is worked out about an incident after it closed: counts, losses, findings."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Set as AbstractSet
from datetime import datetime, timezone
from typing import Any

import msgspec

from otel_flight.ground.clock import wall_ns
from otel_flight.ground.deadline import OutOfTime
from otel_flight.ground.guard import Guard
from otel_flight.incidents.evidence.interrupted import with_interrupted
from otel_flight.incidents.explanations.explanation import explain
from otel_flight.incidents.findings.rulebook import Rulebook
from otel_flight.incidents.gil_yields import YieldGil, keep_gil, with_yields
from otel_flight.incidents.incident import Incident
from otel_flight.names.span_attributes import SERVICE_NAME
from otel_flight.records.ids import span_text
from otel_flight.records.records import Span
from otel_flight.ring.layout import LANE_NAMES, LANE_SPANS, LANES


def new_incident_id() -> str:
    """Return an id that sorts by time, to the millisecond: `20261123-184501-4873f9a1c`, in UTC."""
    seconds, rest_ns = divmod(wall_ns(), 1_000_000_000)
    now = datetime.fromtimestamp(seconds, tz=timezone.utc)
    return f"{now:%Y%m%d-%H%M%S}-{rest_ns // 1_000_000:03d}{secrets.token_hex(3)}"


def complete(
    incident: Incident,
    rulebook: Rulebook,
    guard: Guard,
    unfinished_before: AbstractSet[int],
    yield_gil: YieldGil = keep_gil,
) -> Incident:
    """Return the incident with everything in its manifest that needs its records decoded.

    When there is no time for that, its manifest says so: whoever reads it may do it then.

    Args:
        incident: the incident as it was closed.
        rulebook: finds in it what there is to find.
        guard: notes a rule that fails; the incident goes on without its finding.
        unfinished_before: ids of spans that earlier incidents delivered as unfinished, besides
            those that it says itself.
        yield_gil: called every few dozen records, so that a live process can get on with its work;
            raises `OutOfTime` when that process ends.
    """
    before = incident.manifest.unfinished_before_ids | unfinished_before
    try:
        found = counted(incident, before, yield_gil)
        return _examined(found, rulebook, guard, yield_gil)
    except OutOfTime:
        manifest = msgspec.structs.replace(
            incident.manifest, is_unexamined=True, unfinished_before=list(map(span_text, before))
        )
        return incident.with_manifest(manifest)


def examined(
    incident: Incident, rulebook: Rulebook, guard: Guard, yield_gil: YieldGil = keep_gil
) -> Incident:
    """Return an incident of a file as it would be if its process had had time to examine it.

    Raises:
        OutOfTime: this process ends, too.
    """
    if not incident.manifest.is_unexamined:
        return incident
    completed = complete(incident, rulebook, guard, set(), yield_gil)
    if completed.manifest.is_unexamined:
        raise OutOfTime
    return completed


def counted(
    incident: Incident, unfinished_before: AbstractSet[int], yield_gil: YieldGil
) -> Incident:
    """Return the incident with what is in its records: counts, resource, what was sent."""
    window = incident.window
    window.undecoded = 0
    counts: Counter[str] = Counter()
    resource: dict[str, Any] = dict(incident.manifest.resource)
    sent_before: list[str] = []
    for lane in LANES:
        for item in with_yields(window.records(lane), yield_gil):
            counts[f"{LANE_NAMES[lane]}/{type(item.record).__name__}"] += 1
            if not resource and item.resource is not None:
                resource = item.resource.attributes
            if isinstance(item.record, Span) and item.record.span_id in unfinished_before:
                sent_before.append(span_text(item.record.span_id))
    losses = msgspec.structs.replace(incident.manifest.losses, undecoded=window.undecoded)
    sent_before.extend(
        span_text(found.record.span_id)
        for found in with_yields(window.unfinished(), yield_gil)
        if found.record.span_id in unfinished_before
    )
    manifest = msgspec.structs.replace(
        incident.manifest,
        resource=resource,
        service_name=str(resource.get(SERVICE_NAME, incident.manifest.service_name)),
        record_counts=dict(counts),
        spans=counts[f"{LANE_NAMES[LANE_SPANS]}/{Span.__name__}"],
        losses=losses,
        is_unexamined=False,
        unfinished_before=sent_before,
    )
    return incident.with_manifest(manifest)


def _examined(
    incident: Incident, rulebook: Rulebook, guard: Guard, yield_gil: YieldGil
) -> Incident:
    try:
        evidence = rulebook.evidence(incident, yield_gil)
        manifest = with_interrupted(evidence)
        if manifest is not incident.manifest:
            incident = incident.with_manifest(manifest)
            evidence = rulebook.evidence(incident, yield_gil)
    except OutOfTime:
        raise
    except Exception as error:  # noqa: BLE001  (the incident goes on without)
        guard.note("evidence", error)
        return incident
    findings = rulebook.findings(evidence, guard)
    manifest = msgspec.structs.replace(manifest, findings=findings)
    with guard.swallow("explanations"):
        explanations = explain(evidence)
        manifest = msgspec.structs.replace(manifest, explanations=explanations)
    return incident.with_manifest(manifest)
