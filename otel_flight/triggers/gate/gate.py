"""Decide which firings become incidents: join, cooldown, backoff, budget, in this order.

Never fails open: a firing that is refused is counted by reason and nothing is exported for it. The
next incident tells how many there were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from otel_flight.clock import Clock
from otel_flight.native import allocate_lock
from otel_flight.settings.fields import CoreSettings
from otel_flight.triggers.gate.budget import Budget
from otel_flight.triggers.gate.cooldowns import Cooldowns
from otel_flight.triggers.gate.firing import Firing
from otel_flight.triggers.gate.refusals import RefusalLog, Refusals

OPENED: Final = "opened"
JOINED: Final = "joined"
COOLDOWN: Final = "cooldown"
BACKOFF: Final = "backoff"
BUDGET: Final = "budget"


@dataclass(frozen=True)
class Verdict:
    """What the gate says to a firing.

    Attributes:
        outcome: `opened`, `joined`, `cooldown`, `backoff` or `budget`.
        incident_id: the incident it opened or joined, None when it was refused.
        refused: of one that opened an incident, what was refused since the last one, if anything.
    """

    outcome: str
    incident_id: str | None
    refused: Refusals | None = None


class Gate:
    """Firings by cause over time. `_lock` guards all fields; held for a few dictionary steps.

    Not for hot paths: triggers leave their firings in an inbox and the ticker asks the gate. Only
    the manual trigger asks from application threads.

    Attributes:
        is_full: whether enough incidents wait to be written: none is opened meanwhile.
    """

    def __init__(self, settings: CoreSettings, clock: Clock, new_id: Callable[[], str]) -> None:
        self._clock = clock
        self._new_id = new_id
        self._lock = allocate_lock()
        self._cooldowns = Cooldowns(int(settings.cooldown_seconds * 1e9))
        self._budget = Budget(settings.incidents_per_hour, clock.monotonic_ns())
        self._refusals = RefusalLog()
        self._not_before_ns = 0
        self._open_id: str | None = None
        self._counts: Counter[tuple[str, str]] = Counter()
        self.is_full = False

    def decide(self, firing: Firing) -> Verdict | None:
        """Return the verdict; None when the gate is busy, which only re-entrance can cause.

        A signal handler or a finalizer may ask while the same thread is inside: it does not wait
        for itself longer than 50 ms.
        """
        if not self._lock.acquire(timeout=0.05):
            return None
        try:
            verdict = self._decide(firing)
            self._counts[firing.trigger, verdict.outcome] += 1
            return verdict
        finally:
            self._lock.release()

    def admits(self, firing: Firing) -> bool:
        """Return whether a firing makes an incident by itself, which is over already.

        It waits for the lock, and joins no other incident.
        """
        with self._lock:
            refusal = self._refusal(firing, self._clock.monotonic_ns())
            self._counts[firing.trigger, refusal or OPENED] += 1
            if refusal is not None:
                self._refusals.add(firing)
                return False
            incident_id = self._new_id()
            self._cooldowns.tell(firing, incident_id, self._clock.monotonic_ns())
            self._budget.charge(incident_id, firing.severity)
            return True

    def closed(self, incident_id: str) -> None:
        """Note that the incident is no longer open: the next firing does not join it."""
        with self._lock:
            if self._open_id == incident_id:
                self._open_id = None

    def give_back(self, incident_id: str, pause_seconds: float) -> None:
        """Return the budget of an incident that could not be kept, and open none for a while.

        Else what stands in its way, a full disk say, would be met by one incident after the other,
        each of which takes the work of a whole window.
        """
        with self._lock:
            self._budget.give_back(incident_id)
            self._not_before_ns = self._clock.monotonic_ns() + int(pause_seconds * 1e9)

    def counts(self) -> dict[tuple[str, str], int]:
        """Return how many firings had each outcome, by trigger and outcome.

        Takes no lock: a finalizer or signal handler may ask within `decide`.
        """
        return dict(self._counts)

    def _decide(self, firing: Firing) -> Verdict:
        now = self._clock.monotonic_ns()
        if self._open_id is not None:
            self._cooldowns.tell(firing, self._open_id, now)
            self._budget.joined(self._open_id, firing.severity)
            return Verdict(JOINED, self._open_id)
        refusal = self._refusal(firing, now)
        if refusal is not None:
            self._refusals.add(firing)
            return Verdict(refusal, None)
        self._open_id = self._new_id()
        self._cooldowns.tell(firing, self._open_id, now)
        self._budget.charge(self._open_id, firing.severity)
        return Verdict(OPENED, self._open_id, self._refusals.take())

    def _refusal(self, firing: Firing, now_ns: int) -> str | None:
        """Return why a firing opens no incident; None: it does."""
        if self._cooldowns.is_cooling_down(firing, now_ns):
            return COOLDOWN
        if self.is_full or now_ns < self._not_before_ns:
            return BACKOFF
        is_new = not self._cooldowns.was_heard_of(firing, now_ns)
        return None if self._budget.allows(firing.severity, now_ns, is_new=is_new) else BUDGET
