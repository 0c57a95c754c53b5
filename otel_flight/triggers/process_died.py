"""Fires for a process of the service that ended without a word: killed, crashed, out of memory.

The dead cannot fire: another process of the service finds the ring that they left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from otel_flight.names import trigger_names
from otel_flight.settings import kinds
from otel_flight.settings.declaration import SettingsGroup, setting_field
from otel_flight.triggers.base import FAILURE, Hooks, TriggerContext, TriggerDescription


@dataclass(frozen=True, kw_only=True)
class ProcessDiedSettings(SettingsGroup):
    """Whether a process looks after those of its service that died."""

    recover: bool = setting_field("RECOVER", True, kinds.flag())
    """Whether a process finishes the incidents that dead processes of the same service had open,
    and makes one of the death of each that had none."""


def _build(settings: ProcessDiedSettings, _context: TriggerContext) -> Hooks | None:
    return Hooks() if settings.recover else None


TRIGGER: Final = TriggerDescription(
    name=trigger_names.PROCESS_DIED,
    about=FAILURE,
    settings=ProcessDiedSettings,
    build=_build,
    docs="how-to/triggers/process-died.md",
)
