"""Fires when the process receives a signal, for example SIGUSR2. Off unless a signal is named."""

from __future__ import annotations

import logging
import signal
import threading
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

from otel_flight.ground.clock import wall_ns
from otel_flight.names import trigger_names
from otel_flight.settings import kinds
from otel_flight.settings.declaration import SettingsGroup, setting_field
from otel_flight.triggers.base import (
    OTHER,
    Hooks,
    TriggerContext,
    TriggerDescription,
)
from otel_flight.triggers.gate.firing import Firing, FiringInbox

_logger = logging.getLogger("otel_flight")


@dataclass(frozen=True, kw_only=True)
class SignalSettings(SettingsGroup):
    """Which signal makes an incident."""

    signal: str | None = setting_field("SIGNAL", None, kinds.or_off(kinds.signal_name()))
    """The signal that makes an incident. A handler the application has set is called as well."""


class SignalTrigger:
    """Install a handler that leaves a firing and calls the handler that was there before."""

    name: Final = trigger_names.SIGNAL

    def __init__(self, signal_name: str, inbox: FiringInbox) -> None:
        self._signal = signal.Signals[signal_name]
        self._inbox = inbox
        self._previous: Any = None
        self._is_installed = False

    def start(self) -> None:
        """Install the handler; only the main thread may, others get a warning."""
        if self._is_installed:
            return
        if threading.current_thread() is not threading.main_thread():
            _logger.warning(
                "otel-flight cannot listen for %s: signal handlers are installed by the main "
                "thread, and the recorder was started by another one; the trigger is off.",
                self._signal.name,
            )
            return
        try:
            self._previous = signal.signal(self._signal, self._handle)
        except (ValueError, OSError) as error:  # a subinterpreter, or a signal that is taken
            _logger.warning(
                "otel-flight cannot listen for %s: %s; the trigger is off.",
                self._signal.name,
                error,
            )
            return
        self._is_installed = True

    def stop(self) -> None:
        """Restore the previous handler, unless someone replaced ours since.

        Only the main thread may; after a stop by another one, the handler only passes signals on.
        """
        if not self._is_installed:
            return
        self._is_installed = False
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and signal.getsignal(self._signal) == self._handle:
            signal.signal(self._signal, self._previous or signal.SIG_DFL)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._is_installed:
            self._inbox.offer(
                Firing(
                    trigger=self.name,
                    reason=f"signal {self._signal.name}",
                    subject="",
                    fingerprint=(self.name, self._signal.name),
                    time_ns=wall_ns(),
                )
            )
        if callable(self._previous):
            self._previous(number, frame)


def _build(settings: SignalSettings, context: TriggerContext) -> Hooks | None:
    if settings.signal is None:
        return None
    return Hooks(installed=SignalTrigger(settings.signal, context.inbox))


TRIGGER: Final = TriggerDescription(
    name=trigger_names.SIGNAL,
    about=OTHER,
    settings=SignalSettings,
    build=_build,
    docs="how-to/triggers/signal.md",
)
