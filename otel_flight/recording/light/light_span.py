"""A span that is the SDK's in everything that can be seen of it, and has nothing that is not asked.

The SDK builds seven containers and two locks for each span, and copies it when it ends. This one
has its name, ids and times, and the attributes as a dict; what else a span of the SDK has is made
by the SDK's own classes when someone asks for it, and from then on it is one of theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk import trace as sdk_trace
from opentelemetry.trace import Status, StatusCode

from otel_flight.interpreter.sdk import internals as sdk_internals
from otel_flight.recording.light.exported import PROCESSORS, export
from otel_flight.recording.light.shape import SpanShape

_sdk: Final[Any] = sdk_trace
"""Its clock is asked where it is: a test that sets it means our spans as well."""
_PLAIN: Final = frozenset({bool, float, int, str})
"""Values of exactly these types are kept by the SDK as they are given, unless they are too long."""
_are_plain: Final = _PLAIN.issuperset
_are_strings: Final = frozenset({str}).issuperset
_names: Final[set[Any]] = set()
"""Names of attributes that are known to be strings, and not empty ones: a look at them all at once
takes a third of what looking at their types takes."""
_MOST_NAMES: Final = 1024
_LONGEST_NAME: Final = 256
"""So many names are known, then they are forgotten all at once; longer ones never are."""


class _MadeWhenAsked:
    """A private field of a span that nobody has asked for yet.

    Not by `__getattr__`: a class that has one pays for it with every field that is read.
    """

    __slots__ = ("_make", "_name")

    def __init__(self, name: str, make: Callable[[Any], Any]) -> None:
        self._name = name
        self._make = make

    def __get__(self, span: Any, owner: type) -> Any:
        if span is None:  # the class has no such field
            raise AttributeError(self._name)
        # Of two threads that ask at once, both get what the first one made.
        return span.__dict__.setdefault(self._name, self._make(span))


class LightSpan(sdk_trace.Span):
    """A span that is recording, until it ends. Any thread; made by `begin_span`."""

    # What a span of the SDK has from the beginning, and this one has once it is asked for.
    _status = sdk_internals.unset_status()
    _end_time: int | None = None
    _record_exception = True
    _set_status_on_exception = True
    _trace_config = None
    _record_end_metrics = None
    _is_open: bool
    _own: dict[str, Any] | None
    _shape: SpanShape

    def get_span_context(self) -> Any:
        """See `opentelemetry.trace.Span`."""
        return self._context

    def set_attribute(self, key: str, value: Any) -> None:
        """See `opentelemetry.trace.Span`."""
        own = self._own
        if (
            own is not None
            and type(value) in _PLAIN
            and type(key) is str
            and key
            and self._end_time is None
        ):
            if key in own:  # it comes last then, as in the SDK's container
                own.pop(key, None)
                own[key] = value
                return
            if len(own) < self._shape.most:
                own[key] = value
                return
        super().set_attribute(key, value)

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """See `opentelemetry.trace.Span`."""
        own = self._own
        if (
            own is not None
            and type(attributes) is dict
            and len(own) + len(attributes) <= self._shape.most
            and _are_plain(map(type, attributes.values()))
            and (_names.issuperset(attributes) or _are_names(attributes))
            and self._end_time is None
        ):
            for key in own.keys() & attributes.keys():
                own.pop(key, None)
            own.update(attributes)
        else:
            super().set_attributes(attributes)

    def set_status(self, status: Any, description: str | None = None) -> None:
        """See `opentelemetry.trace.Span`."""
        # Instrumentations say of every answer that it is none; that changes nothing.
        if not (
            type(status) is Status
            and status.status_code is StatusCode.UNSET
            and self._end_time is None
        ):
            super().set_status(status, description)

    def update_name(self, name: str) -> None:
        """See `opentelemetry.trace.Span`."""
        if self._end_time is None:
            self._name = name
        else:
            super().update_name(name)

    def end(self, end_time: int | None = None) -> None:
        """See `opentelemetry.trace.Span`."""
        try:
            del self._is_open  # of two threads that end a span, one does
        except AttributeError:
            warn_of_end()
            return
        try:
            self._end_time = _sdk.time_ns() if end_time is None else end_time
        except BaseException:  # a clock of a test's, or what a signal handler raises in it
            self._is_open = True
            raise
        if self._own is None:
            close_attributes(self)
        shape = self._shape
        try:
            if (
                (shape.exporting or shape.of_pipeline.get(PROCESSORS) is not shape.processors)
                and self._context is not None
                and self._context[3] & 1
            ):
                export(self)
        finally:
            shape.ended(self)

    def __repr__(self) -> str:
        return f'_Span(name="{self._name}", context={self._context})'


def begin_span(  # noqa: PLR0917
    shape: SpanShape,
    name: str,
    context: Any,
    parent: Any,
    kind: Any,
    attributes: Mapping[str, Any] | None,
    links: Any,
    start_time: int | None,
    record_exception: bool,
    set_status_on_exception: bool,
) -> LightSpan:
    """Start a span of a shape, with its own context and its parent's; None: it is a root.

    The others are the arguments of `Tracer.start_span`.
    """
    span: Any = _new(LightSpan)
    span._shape = shape
    span._name = name
    span._context = context
    span._parent = parent
    span._kind = kind
    span._resource = shape.resource
    span._instrumentation_scope = shape.scope
    if not attributes:
        span._own = NO_ATTRIBUTES()
    elif (
        type(attributes) is dict
        and len(attributes) <= shape.most
        and _are_plain(map(type, attributes.values()))
        and (_names.issuperset(attributes) or _are_names(attributes))
    ):
        span._own = NO_ATTRIBUTES(attributes)
    else:
        span._own = NO_ATTRIBUTES()
        give_odd(span, attributes, None)
    if links:
        give_odd(span, None, links)
    if not record_exception:
        span._record_exception = False
    if not set_status_on_exception:
        span._set_status_on_exception = False
    span._is_open = True
    span._start_time = _sdk.time_ns() if start_time is None else start_time
    shape.started(span)
    return span  # type: ignore[no-any-return]


def _are_names(attributes: Mapping[str, Any]) -> bool:
    """Return whether the SDK keeps these as names; if it does, they are known then."""
    found = tuple(attributes)
    if not _are_strings(map(type, found)) or "" in found:
        return False
    if len(_names) + len(found) > _MOST_NAMES:
        _names.clear()
    _names.update(name for name in found if len(name) <= _LONGEST_NAME)
    return True


def give_odd(span: Any, attributes: Any, links: Any) -> None:
    """Give a span what only the SDK's own containers take; None for what there is not."""
    if attributes:
        span._own = None
        span._attributes = span._shape.bounded(attributes)
    if links:
        _attributes_of(span)
        span._links = span._new_links(links)


def close_attributes(span: Any) -> None:
    """Let nobody change the attributes of a span that ended, where they are the SDK's."""
    span._attributes._immutable = True


def warn_of_end() -> None:
    """Say what the SDK says of a span that is ended again."""
    sdk_trace.logger.warning("Calling end() on an ended span.")


def _attributes_of(span: LightSpan) -> Any:
    """Return the attributes as the SDK has them; the dict stays, for whoever writes into it now."""
    own = span._own
    if own is None:
        return span._attributes
    made = span._shape.bounded(None)
    made._dict = own if type(own) is NO_ATTRIBUTES else NO_ATTRIBUTES(own)
    made._immutable = span._end_time is not None
    attributes = span.__dict__.setdefault("_attributes", made)
    span._own = None
    return attributes


def _events_of(span: Any) -> Any:
    _attributes_of(span)
    return span._new_events()


def _links_of(span: Any) -> Any:
    _attributes_of(span)
    return span._new_links(())


_new: Final = object.__new__
NO_ATTRIBUTES: Final[Any] = type(BoundedAttributes()._dict)
"""The kind of dict in which this SDK keeps attributes: an ordered one before 1.40. A span in C has
a plain one: what is set just while another thread first reads attributes may be lost then."""
for _name, _make in (
    ("_attributes", _attributes_of),
    ("_events", _events_of),
    ("_links", _links_of),
    # The program's kind of lock, not ours: gevent's lets the greenlet go on that is to release it.
    ("_lock", lambda _: _sdk.threading.Lock()),
    ("_limits", lambda span: span._shape.limits),
    ("_sampler", lambda span: span._shape.sampler),
    ("_span_processor", lambda span: span._shape.pipeline),
    ("_instrumentation_info", lambda span: span._shape.info),
):
    setattr(LightSpan, _name, _MadeWhenAsked(_name, _make))
