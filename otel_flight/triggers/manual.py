"""Fires when the program itself says so: `recorder.trigger("reason", **attributes)`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from otel_flight.ground.clock import wall_ns
from otel_flight.interpreter.current_ids import current_ids
from otel_flight.names import trigger_names
from otel_flight.settings import kinds
from otel_flight.settings.declaration import SettingsGroup, setting_field
from otel_flight.triggers.base import (
    OTHER,
    Hooks,
    TriggerContext,
    TriggerDescription,
)
from otel_flight.triggers.gate.firing import Firing

NAME: Final = trigger_names.MANUAL


@dataclass(frozen=True, kw_only=True)
class ManualSettings(SettingsGroup):
    """Whether the program itself makes incidents."""

    manual_trigger: bool = setting_field("MANUAL_TRIGGER", True, kinds.flag())
    """Whether `recorder.trigger()` makes incidents."""


def manual_firing(reason: str, attributes: Mapping[str, Any]) -> Firing:
    """Return a firing for `reason`, which belongs to the current span when there is one."""
    trace_id, span_id = current_ids()
    return Firing(
        trigger=NAME,
        reason=reason,
        subject="",
        fingerprint=(NAME, reason),
        time_ns=wall_ns(),
        trace_id=trace_id,
        span_id=span_id,
        attributes=dict(attributes),
    ).cleaned()


def _build(settings: ManualSettings, _context: TriggerContext) -> Hooks | None:
    return Hooks(manual_firing=manual_firing) if settings.manual_trigger else None


TRIGGER: Final = TriggerDescription(
    name=trigger_names.MANUAL,
    about=OTHER,
    settings=ManualSettings,
    build=_build,
    docs="how-to/triggers/manual.md",
)
