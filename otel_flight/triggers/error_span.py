"""Fires when a span ends with an error that was not to be expected.

Whoever is on call thinks in requests: what failed a local root is told of it, once, with the span
below it where it came from. What a local root survived waits until that shows, see `errors_below`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from otel_flight.names import attributes as names
from otel_flight.names import exception_attributes as exceptions
from otel_flight.names import trigger_names
from otel_flight.records.normal_names import normal_name
from otel_flight.settings import kinds
from otel_flight.settings.declaration import SettingsGroup, setting_field
from otel_flight.triggers.base import (
    FAILURE,
    Hooks,
    TriggerContext,
    TriggerDescription,
    glob_matcher,
    ids_of,
    name_of,
)
from otel_flight.triggers.gate.firing import Firing
from otel_flight.triggers.gate.severity import Severity
from otel_flight.triggers.outcomes.expected import is_expected, is_failure
from otel_flight.triggers.outcomes.recorded_exception import RecordedException, last_exception
from otel_flight.triggers.outcomes.traceback_text import origin_of

_ALL: Final = "all"
_ROOT: Final = "root"
_LONGEST_TEXT: Final = 500
"""A message is told with at most this many characters."""
_CALLS: Final = frozenset({SpanKind.CLIENT, SpanKind.PRODUCER})
"""A local root of these kinds is no request, but part of something that makes no span."""


@dataclass(frozen=True, kw_only=True)
class ErrorSpanSettings(SettingsGroup):
    """Which spans make an incident by ending with an error."""

    error_span: Literal["all", "unhandled", "root", "off"] = setting_field(
        "ERROR_SPAN", "all", kinds.choice("all", "unhandled", "root", "off")
    )
    """Which spans make an incident by ending with an error: all, those whose error no local root
    survived, only local roots (the spans that enter this process), or none."""

    error_span_names: tuple[str, ...] = setting_field("ERROR_SPAN_NAMES", ("*",), kinds.globs())
    """The names of the spans that `error_span` is about."""

    error_ignore_exceptions: tuple[str, ...] = setting_field(
        "ERROR_IGNORE_EXCEPTIONS", (), kinds.globs()
    )
    """Exception types (the attribute `exception.type`) that make no incident."""


class ErrorSpanTrigger:
    """Watch spans that ended, on the application's thread."""

    name: Final = trigger_names.ERROR_SPAN

    def __init__(self, settings: ErrorSpanSettings, context: TriggerContext) -> None:
        self._open_spans = context.open_spans
        self._inbox = context.inbox
        self._errors_below = context.errors_below
        self._which = settings.error_span
        self._matches_name = glob_matcher(settings.error_span_names)
        self._is_ignored = glob_matcher(settings.error_ignore_exceptions)

    def span_ended(self, span: ReadableSpan, is_local_root: bool) -> None:
        """Fire when the span failed in a way the settings ask for."""
        if not is_failure(span) or (self._which == _ROOT and not is_local_root):
            return
        if not self._matches_name(name_of(span)):
            return
        exception = last_exception(span)
        if is_expected(span, exception) or (exception.kind and self._is_ignored(exception.kind)):
            return
        if is_local_root:
            self._root_failed(span, exception)
        else:
            self._child_failed(span, exception)

    def _root_failed(self, span: ReadableSpan, exception: RecordedException) -> None:
        severity = Severity.OTHER if span.kind in _CALLS else Severity.FAILED
        firing = self._firing(span, exception, severity=severity)
        below = self._errors_below.take(ids_of(span)[1])
        self._inbox.offer(_explained(firing, below, exception.stacktrace))

    def _child_failed(self, span: ReadableSpan, exception: RecordedException) -> None:
        root = self._open_spans.local_root_of(span)
        if root is None:  # a background task, which nobody waits for
            self._inbox.offer(self._firing(span, exception))
            return
        root_id = ids_of(root)[1]
        if self._which == _ALL and root_id not in self._open_spans.silent:
            firing = self._firing(span, exception, subject=name_of(root), origin=name_of(span))
            self._errors_below.add(root_id, firing)

    def _firing(
        self,
        span: ReadableSpan,
        exception: RecordedException,
        *,
        subject: str = "",
        origin: str = "",
        severity: Severity = Severity.OTHER,
    ) -> Firing:
        trace_id, span_id = ids_of(span)
        name = name_of(span)
        begun = origin_of(exception.stacktrace)
        is_other = begun.kind.rpartition(".")[2] not in {"", exception.name}
        kind = begun.kind if is_other else exception.kind
        attributes = {
            exceptions.TYPE: exception.kind,
            exceptions.MESSAGE: exception.message[:_LONGEST_TEXT],
            names.STATUS_DESCRIPTION: (span.status.description or "")[:_LONGEST_TEXT],
            exceptions.CHAIN: kind if is_other else "",
            names.LOCATION: begun.location,
        }
        return Firing(
            trigger=self.name,
            reason="error span",
            subject=subject or name,
            fingerprint=(self.name, normal_name(name), exception.kind, kind, begun.location),
            time_ns=span.end_time or 0,
            trace_id=trace_id,
            span_id=span_id,
            attributes={key: value for key, value in attributes.items() if value},
            origin=origin,
            severity=severity,
        )


def _explained(root: Firing, below: list[Firing], stacktrace: str) -> Firing:
    """Return the firing of a local root, with the error below it that failed it, if there was one.

    That is the first one whose exception is named in the root's; a root without an exception says
    nothing itself.
    """
    for firing in below:
        kind = firing.attributes.get(exceptions.TYPE)
        if kind and (not stacktrace or kind in stacktrace):
            attributes = {**root.attributes, **firing.attributes}
            return replace(root, origin=firing.origin, attributes=attributes)
    return root


def _build(settings: ErrorSpanSettings, context: TriggerContext) -> Hooks | None:
    if settings.error_span == "off":
        return None
    return Hooks(span_ended=ErrorSpanTrigger(settings, context).span_ended)


TRIGGER: Final = TriggerDescription(
    name=trigger_names.ERROR_SPAN,
    about=FAILURE,
    settings=ErrorSpanSettings,
    build=_build,
    docs="how-to/triggers/error-span.md",
)
