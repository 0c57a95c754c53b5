"""Fires when an exception ends a thread, an asyncio task, or the process.

Not for exceptions of finalizers: those happen in healthy processes, and nothing ends by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from otel_flight.names import event_names, source_names, trigger_names
from otel_flight.names import exception_attributes as names
from otel_flight.names.attributes import FILE, FUNCTION
from otel_flight.records.records import RuntimeEvent
from otel_flight.settings import kinds
from otel_flight.settings.declaration import SettingsGroup, setting_field
from otel_flight.triggers.base import (
    FAILURE,
    Hooks,
    TriggerContext,
    TriggerDescription,
)
from otel_flight.triggers.gate.firing import Firing, FiringInbox
from otel_flight.triggers.gate.severity import Severity


@dataclass(frozen=True, kw_only=True)
class ExceptionTriggerSettings(SettingsGroup):
    """Whether unhandled exceptions make incidents."""

    exception_trigger: bool = setting_field("EXCEPTION_TRIGGER", True, kinds.flag())
    """Whether an unhandled exception makes an incident; those of finalizers never do."""


class UnhandledExceptionTrigger:
    """Watch the exceptions that are recorded, on the thread that records them."""

    name: Final = trigger_names.UNHANDLED_EXCEPTION

    def __init__(self, inbox: FiringInbox) -> None:
        self._inbox = inbox

    def event_recorded(self, event: RuntimeEvent) -> None:
        """Fire when nobody handled it."""
        if event.source != source_names.EXCEPTIONS or event.name != event_names.UNHANDLED_EXCEPTION:
            return
        attributes = event.attributes
        kind = str(attributes.get(names.TYPE, ""))
        # Not the line: an exception that comes from two lines of a function is the same cause.
        where = f"{attributes.get(FILE, '')} {attributes.get(FUNCTION, '')}"
        self._inbox.offer(
            Firing(
                trigger=self.name,
                reason=event_names.UNHANDLED_EXCEPTION,
                subject=kind,
                fingerprint=(self.name, kind, where),
                time_ns=event.start_ns,
                trace_id=event.trace_id,
                span_id=event.span_id,
                attributes=dict(attributes),
                severity=_severity(attributes.get(names.ENDED)),
            )
        )


def _severity(ended: object) -> Severity:
    return Severity.DIED if ended == names.MAIN_THREAD else Severity.UNHANDLED


def _build(settings: ExceptionTriggerSettings, context: TriggerContext) -> Hooks | None:
    if not settings.exception_trigger:
        return None
    return Hooks(event_recorded=UnhandledExceptionTrigger(context.inbox).event_recorded)


TRIGGER: Final = TriggerDescription(
    name=trigger_names.UNHANDLED_EXCEPTION,
    about=FAILURE,
    settings=ExceptionTriggerSettings,
    build=_build,
    docs="how-to/triggers/unhandled-exception.md",
)
