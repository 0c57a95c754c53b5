"""Fires when another process asks: `otel-flight trigger --service S --reason R`.

The request stands in the ring's header, where the ticker sees it: no signal, no port, no thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from otel_flight.ground.clock import wall_ns
from otel_flight.names import trigger_names
from otel_flight.settings import kinds
from otel_flight.settings.declaration import SettingsGroup, setting_field
from otel_flight.triggers.base import (
    OTHER,
    Fire,
    Hooks,
    RequestBox,
    TriggerContext,
    TriggerDescription,
)
from otel_flight.triggers.gate.firing import Firing

NAME: Final = trigger_names.EXTERNAL


@dataclass(frozen=True, kw_only=True)
class ExternalSettings(SettingsGroup):
    """Whether other processes make incidents."""

    external_trigger: bool = setting_field("EXTERNAL_TRIGGER", True, kinds.flag())
    """Whether `otel-flight trigger` of the same user makes incidents."""


def answer_external_request(box: RequestBox, fire: Fire) -> None:
    """Take a request, if there is one, fire, and answer with what became of it. Ticker only."""
    request = box.take_request()
    if request is None:
        return
    reason = str(request.get("reason") or "external request")
    given = request.get("attributes")
    firing = Firing(
        trigger=NAME,
        reason=reason,
        subject="",
        fingerprint=(NAME, reason),
        time_ns=wall_ns(),
        attributes=dict(given) if isinstance(given, dict) else {},
    ).cleaned()
    answer = {"outcome": "failed", "incident_id": None}
    try:
        answer = fire(firing)
    finally:  # a request without an answer would be taken again at each tick
        box.answer_request(answer)


def _build(settings: ExternalSettings, _context: TriggerContext) -> Hooks | None:
    return Hooks(answer_request=answer_external_request) if settings.external_trigger else None


TRIGGER: Final = TriggerDescription(
    name=trigger_names.EXTERNAL,
    about=OTHER,
    settings=ExternalSettings,
    build=_build,
    docs="how-to/triggers/external.md",
)
