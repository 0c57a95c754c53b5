"""What is private to the API and the SDK of spans, and whether it is as it is known here.

Reading `span._name` costs a tenth of `span.name`; over a whole span the public properties cost
2.6-3.2 µs and the fields 0.5 µs. The fields are checked once, on real SDK objects, when this module
is imported: an SDK that moves one of them gets the slower encoder and nothing else changes.
"""

from __future__ import annotations

from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.span import TraceState

_SPAN_FIELDS: Final = (
    "_name",
    "_context",
    "_kind",
    "_instrumentation_scope",
    "_parent",
    "_start_time",
    "_end_time",
    "_attributes",
    "_events",
    "_links",
    "_resource",
    "_status",
)


def sample_span() -> ReadableSpan:
    """Return a span of this SDK in which every field is set, no two alike."""
    trace_id = 0xA1 << 64 | 0xB2
    event = Event("event", _full(BoundedAttributes(attributes={"of": "event"}), 13), 14)
    linked = SpanContext(0xC3 << 64 | 0xD4, 0xE5, True, TraceFlags(1), TraceState([("c", "d")]))
    link = Link(linked, _full(BoundedAttributes(attributes={"of": "link"}), 15))
    return ReadableSpan(
        "probe",
        context=SpanContext(trace_id, 0xF6, False, TraceFlags(1), TraceState([("a", "b")])),
        parent=SpanContext(trace_id, 0xF7, True, TraceFlags(0)),
        resource=Resource({"service.name": "probe"}),
        attributes=_full(BoundedAttributes(attributes={"of": "span"}), 16),
        events=_full(BoundedList.from_seq(1, [event]), 17),
        links=_full(BoundedList.from_seq(1, [link]), 18),
        kind=SpanKind.CONSUMER,
        status=Status(StatusCode.ERROR, "why"),
        start_time=20,
        end_time=30,
        instrumentation_scope=InstrumentationScope("scope", "1.0"),
    )


def _full(container: Any, dropped: int) -> Any:
    """Let a container of the SDK look as if it had dropped items; it would log that otherwise."""
    container.dropped = dropped
    return container


def _sample_context() -> SpanContext:
    return SpanContext(1, 2, True, TraceFlags(1), TraceState([("a", "b")]))


def _context_is_plain_tuple() -> bool:
    context = _sample_context()
    expected = (1, 2, True, TraceFlags(1), context.trace_state, True)
    fields: object = context
    return isinstance(fields, tuple) and fields == expected


def _span_has_fields() -> bool:
    span = sample_span()
    return all(hasattr(span, field) for field in _SPAN_FIELDS)


def _containers_have_fields() -> bool:
    attributes: Any = BoundedAttributes(attributes={"a": 1})
    items: Any = BoundedList.from_seq(2, [1])
    event = Event("probe", attributes, 3)
    link = Link(_sample_context(), attributes)
    return (
        attributes._dict == {"a": 1}
        and attributes.dropped == 0
        and list(items._dq) == [1]
        and items.dropped == 0
        and (event._name, event._timestamp) == ("probe", 3)
        and event._attributes is attributes
        and link._context == _sample_context()
        and link._attributes is attributes
    )


def _enums_have_fields() -> bool:
    status = Status(StatusCode.ERROR, "d")
    return (
        SpanKind.CLIENT._value_ == SpanKind.CLIENT.value
        and status._status_code is StatusCode.ERROR
        and status._description == "d"
    )


def sdk_has_known_fields() -> bool:
    """Tell whether every private field the fast encoder reads is where it should be."""
    checks = (
        _context_is_plain_tuple,
        _span_has_fields,
        _containers_have_fields,
        _enums_have_fields,
    )
    try:
        return all(check() for check in checks)
    except Exception:  # noqa: BLE001  # any surprise means: an SDK we do not know
        return False


def attributes_of(owner: Any) -> dict[str, Any]:
    """Return a copy of the attributes of a span, event, link, scope or resource.

    Iterating the SDK's mapping takes a lock: this very thread may hold it, when a collection runs
    within `set_attribute`; and in a forked child it is locked for ever if a thread of the parent
    held it, such as an exporter's that reads the resource. It also meets keys that another thread
    has just dropped for newer ones. So the dict inside it is copied, which is one step, and only an
    SDK without one is iterated.
    """
    inner = getattr(getattr(owner, "_attributes", None), "_dict", None)
    if isinstance(inner, dict):
        return inner.copy()
    attributes = getattr(owner, "attributes", None) or {}
    return {key: attributes.get(key) for key in list(attributes)}


def unset_status() -> Status:
    """Return the one Status object that spans share until `set_status` is called."""
    return ReadableSpan("probe", resource=Resource.get_empty()).status


HAS_KNOWN_FIELDS: Final = sdk_has_known_fields()
"""It tells whether spans of this SDK can be recorded by their private fields."""

CONTEXT_VARIABLE: Final[Any] = getattr(
    getattr(otel_context, "_RUNTIME_CONTEXT", None), "_current_context", None
)
"""It is the context variable that OpenTelemetry's context, and so the current span, is in. It is
something else where the application has chosen another way to keep it."""
