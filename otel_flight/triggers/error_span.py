"""Fires when a span ends with status ERROR, or, when asked, with an exception but no status.

The SDK sets ERROR for `Exception` only: `CancelledError`, `SystemExit` and `KeyboardInterrupt`
leave a span UNSET with an `exception` event, which the setting `error_cancelled` includes.

Whoever is on call thinks in requests: what happened in a child is told of its local root. A child
fires when it ends nonetheless, as its root may handle the error, or hang. One that has a status
alone, such as what sends the answer of 500, says less than its root does if that fails as well:
it asks for the root's firing to go first in the incident.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from otel_flight.names import attributes as names
from otel_flight.names import exception_attributes as exceptions
from otel_flight.names import trigger_names
from otel_flight.recording.open_spans import OpenSpans
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
from otel_flight.triggers.gate.firing import Firing, FiringInbox

_EXCEPTION: Final = "exception"


@dataclass(frozen=True, kw_only=True)
class ErrorSpanSettings(SettingsGroup):
    """Which spans make an incident by ending with an error."""

    error_span: Literal["all", "root", "off"] = setting_field(
        "ERROR_SPAN", "all", kinds.choice("all", "root", "off")
    )
    """Which spans make an incident by ending with an error: all, only local roots (the spans that
    enter this process), or none."""

    error_span_names: tuple[str, ...] = setting_field("ERROR_SPAN_NAMES", ("*",), kinds.globs())
    """The names of the spans that `error_span` is about."""

    error_ignore_exceptions: tuple[str, ...] = setting_field(
        "ERROR_IGNORE_EXCEPTIONS", (), kinds.globs()
    )
    """Exception types (the attribute `exception.type`) that make no incident."""

    error_cancelled: bool = setting_field("ERROR_CANCELLED", False, kinds.flag())
    """Whether an exception recorded on a span that ended without an error status counts as an
    error too, as cancellation leaves it."""


class ErrorSpanTrigger:
    """Watch spans that ended, on the application's thread."""

    name: Final = trigger_names.ERROR_SPAN

    def __init__(
        self, settings: ErrorSpanSettings, open_spans: OpenSpans, inbox: FiringInbox
    ) -> None:
        self._open_spans = open_spans
        self._inbox = inbox
        self._is_roots_only = settings.error_span == "root"
        self._cancelled = settings.error_cancelled
        self._matches_name = glob_matcher(settings.error_span_names)
        self._is_ignored = glob_matcher(settings.error_ignore_exceptions)

    def span_ended(self, span: ReadableSpan, is_local_root: bool) -> None:
        """Fire when the span failed in a way the settings ask for."""
        is_error = span.status.status_code is StatusCode.ERROR
        if not (is_error or (self._cancelled and span.events)):
            return
        if self._is_roots_only and not is_local_root:
            return
        if not self._matches_name(name_of(span)):
            return
        exception = _last_exception(span)
        if exception is None and not is_error:
            return
        kind = str((exception or {}).get(exceptions.TYPE, ""))
        if kind and self._is_ignored(kind):
            return
        self._fire(span, kind, exception or {})

    def _fire(self, span: ReadableSpan, kind: str, exception: Mapping[str, Any]) -> None:
        trace_id, span_id = ids_of(span)
        name = name_of(span)
        root = self._open_spans.local_root_of(span)
        if root is not None and ids_of(root)[1] in self._open_spans.silent:
            return
        frame = _top_frame(str(exception.get(exceptions.STACKTRACE, "")))
        attributes = {
            exceptions.TYPE: kind,
            exceptions.MESSAGE: str(exception.get(exceptions.MESSAGE, ""))[:500],
            names.STATUS_DESCRIPTION: (span.status.description or "")[:500],
            names.LOCATION: frame,
        }
        self._inbox.offer(
            Firing(
                trigger=self.name,
                reason="error span",
                subject=name if root is None else name_of(root),
                fingerprint=(self.name, name, kind, frame),
                time_ns=span.end_time or 0,
                trace_id=trace_id,
                span_id=span_id,
                attributes={key: value for key, value in attributes.items() if value},
                origin="" if root is None else name,
                yields_to=0 if root is None or exception else ids_of(root)[1],
            )
        )


def _last_exception(span: ReadableSpan) -> Mapping[str, Any] | None:
    for event in reversed(span.events):
        if event.name == _EXCEPTION:
            return event.attributes or {}
    return None


def _top_frame(stacktrace: str) -> str:
    """Return `file:line in function` of the innermost frame of a formatted traceback."""
    start = stacktrace.rfind('  File "')
    if start < 0:
        return ""
    line = stacktrace[start : start + 300].split("\n", 1)[0]
    parts = line.removeprefix('  File "').replace('", line ', ":").replace(", in ", " in ")
    return parts.strip()


def _build(settings: ErrorSpanSettings, context: TriggerContext) -> Hooks | None:
    if settings.error_span == "off":
        return None
    trigger = ErrorSpanTrigger(settings, context.open_spans, context.inbox)
    return Hooks(span_ended=trigger.span_ended, wants_events=settings.error_cancelled)


TRIGGER: Final = TriggerDescription(
    name=trigger_names.ERROR_SPAN,
    about=FAILURE,
    settings=ErrorSpanSettings,
    build=_build,
    docs="how-to/triggers/error-span.md",
)
