"""Pauses and inferred spans as they are exported: children of the application's own spans."""

from __future__ import annotations

from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import SpanContext, TraceFlags

from otel_flight.delivery.incident_trace.trace import link_to, own_scope
from otel_flight.delivery.otlp.derived_ids import derived_span_id
from otel_flight.delivery.otlp.spans import RecordedSpan, incident_stamps
from otel_flight.delivery.otlp.values import make_portable, texts_under
from otel_flight.incidents.manifest import Explanation, Manifest
from otel_flight.names import sent_attributes as names
from otel_flight.records.ids import id_of

_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


def explanation_spans(manifest: Manifest, resource: Resource) -> list[RecordedSpan]:
    """Return the spans of a manifest's explanations, with the same ids each time.

    Args:
        manifest: of the incident.
        resource: of the process it happened in.
    """
    return [
        _span(manifest, resource, position, item)
        for position, item in enumerate(manifest.explanations)
    ]


def _span(manifest: Manifest, resource: Resource, position: int, item: Explanation) -> RecordedSpan:
    span_id = id_of(item.id) or derived_span_id(manifest.incident_id, f"explanation {position}")
    trace_id, parent_id = id_of(item.trace_id), id_of(item.parent_span_id)
    attributes: dict[str, object] = {
        names.KIND: item.kind,
        **incident_stamps(manifest),
    }
    if item.kind == names.KIND_INFERRED:
        attributes[names.INFERRED] = True
    for key, value in item.attributes.items():
        attributes.update(texts_under(key, value) if isinstance(value, str) else {key: value})
    links = []
    if item.link_trace_id:
        attributes[names.TRACE_ID] = item.link_trace_id
        linked = id_of(item.link_trace_id), id_of(item.link_span_id)
        links = [link_to(*linked, names.LINK_CAUSED_BY)] if all(linked) else []
    make_portable(attributes)
    return RecordedSpan(
        item.name,
        SpanContext(trace_id, span_id, False, _SAMPLED),
        parent=SpanContext(trace_id, parent_id, False, _SAMPLED),
        resource=resource,
        scope=own_scope(),
        attributes=attributes,
        start_ns=item.start_ns,
        end_ns=max(item.start_ns, item.end_ns),
        links=links,
    )
