"""Decide which firings become incidents: join, cooldown, backoff, budget, in this order.

Never fails open: a firing that is refused is counted by reason and nothing is exported for it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from otel_flight.clock import Clock
from otel_flight.native import allocate_lock
from otel_flight.settings.fields import CoreSettings
from otel_flight.triggers.gate.firing import Firing

OPENED: Final = "opened"
JOINED: Final = "joined"
COOLDOWN: Final = "cooldown"
BACKOFF: Final = "backoff"
BUDGET: Final = "budget"
_HOUR_NS: Final = 3_600_000_000_000
_MAX_CAUSES: Final = 1024


@dataclass(frozen=True)
class Verdict:
    """What the gate says to a firing.

    Attributes:
        outcome: `opened`, `joined`, `cooldown`, `backoff` or `budget`.
        incident_id: the incident it opened or joined, None when it was refused.
    """

    outcome: str
    incident_id: str | None


class Gate:
    """Firings by cause over time. `_lock` guards all fields; held for a few dictionary steps.

    Not for hot paths: triggers leave their firings in an inbox and the ticker asks the gate. Only
    the manual trigger asks from application threads.

    Attributes:
        is_full: whether enough incidents wait to be written: none is opened meanwhile.
    """

    def __init__(self, settings: CoreSettings, clock: Clock, new_id: Callable[[], str]) -> None:
        self._cooldown_ns = int(settings.cooldown_seconds * 1e9)
        self._budget = settings.incidents_per_hour
        self._clock = clock
        self._new_id = new_id
        self._lock = allocate_lock()
        self._last_opened: dict[tuple[str, ...], int] = {}
        self._opened: deque[tuple[int, str]] = deque()
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
            self._opened = deque(each for each in self._opened if each[1] != incident_id)
            self._not_before_ns = self._clock.monotonic_ns() + int(pause_seconds * 1e9)

    def counts(self) -> dict[tuple[str, str], int]:
        """Return how many firings had each outcome, by trigger and outcome.

        Takes no lock: a finalizer or signal handler may ask within `decide`.
        """
        return dict(self._counts)

    def _decide(self, firing: Firing) -> Verdict:
        now = self._clock.monotonic_ns()
        if self._open_id is not None:
            self._remember(firing, now)
            return Verdict(JOINED, self._open_id)
        last = self._last_opened.get(firing.fingerprint)
        if last is not None and now - last < self._cooldown_ns:
            return Verdict(COOLDOWN, None)
        if self.is_full or now < self._not_before_ns:
            return Verdict(BACKOFF, None)
        while self._opened and now - self._opened[0][0] >= _HOUR_NS:
            self._opened.popleft()
        if len(self._opened) >= self._budget:
            return Verdict(BUDGET, None)
        self._remember(firing, now)
        self._open_id = self._new_id()
        self._opened.append((now, self._open_id))
        return Verdict(OPENED, self._open_id)

    def _remember(self, firing: Firing, now: int) -> None:
        """Start the cooldown of this cause, forgetting the oldest cause when there are too many."""
        self._last_opened.pop(firing.fingerprint, None)
        self._last_opened[firing.fingerprint] = now
        if len(self._last_opened) > _MAX_CAUSES:
            del self._last_opened[next(iter(self._last_opened))]
