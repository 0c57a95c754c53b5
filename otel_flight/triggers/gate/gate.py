"""Decide which firings become incidents: join, cooldown, backoff, budget, in this order.

Never fails open: a firing that is refused is counted by reason and nothing is exported for it. The
next incident tells how many there were.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from otel_flight.ground.clock import Clock
from otel_flight.ground.native import allocate_lock, getpid
from otel_flight.settings.fields import CoreSettings
from otel_flight.triggers.gate.firing import Firing
from otel_flight.triggers.gate.refusals import Refusals
from otel_flight.triggers.gate.shared_file import SharedFile
from otel_flight.triggers.gate.state import GateState, JoinedCause, Member, OpenAnywhere, decoded

OPENED: Final = "opened"
JOINED: Final = "joined"
COOLDOWN: Final = "cooldown"
BACKOFF: Final = "backoff"
BUDGET: Final = "budget"

PATIENCE_SECONDS: Final = 0.5
"""A thread of ours waits so long for another process that decides, which takes less than 1 ms,
unless that is not given a CPU."""
_ALONE_NS: Final = 10_000_000_000
"""Where that one does not let go, it was stopped: for so long nobody waits for it any more."""
_LATE_NS: Final = 1_000_000_000
"""An incident of another process that is open for so much longer than its tail is joined no more:
that process hangs, or is dead."""


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
    the manual trigger asks from application threads. A gate that is shared decides by a file, for
    all processes of a service on this host; when another process does not let go of that, or it
    cannot be used, by what it knows itself.

    Attributes:
        file: by which other processes decide, too; None: it decides for this one.
        is_full: whether enough incidents wait to be written: none is opened meanwhile.
    """

    def __init__(self, settings: CoreSettings, clock: Clock, new_id: Callable[[], str]) -> None:
        self._settings = settings
        self._clock = clock
        self._new_id = new_id
        self._lock = allocate_lock()
        self._state = GateState.new(settings, clock.monotonic_ns())
        self.file: SharedFile | None = None
        self._member = Member("")
        self._alone_until_ns = self._not_before_ns = 0
        self._open_id: str | None = None
        self._counts: Counter[tuple[str, str]] = Counter()
        self.is_full = False

    def share(self, file: SharedFile | None, member: Member) -> None:
        """Decide with the other processes that use this file, as one of them; None: alone."""
        with self._lock:
            self.file, self._member = file, member

    def decide(self, firing: Firing, patience_seconds: float = 0.0) -> Verdict | None:
        """Return the verdict; None when the gate is busy: it is to be asked again, by the ticker.

        A signal handler or a finalizer may ask while the same thread is inside: it does not wait
        for itself longer than 50 ms.

        Args:
            firing: what fired.
            patience_seconds: how long to wait for another process; then it is decided without it.
                0, as for an application's thread: not at all.
        """
        if not self._lock.acquire(timeout=0.05):
            return None
        try:
            with self._shared_state(patience_seconds) as state:
                if state is None:
                    return None
                verdict = self._decide(state, firing)
            self._counts[firing.trigger, verdict.outcome] += 1
            return verdict
        finally:
            self._lock.release()

    def admits(self, firing: Firing) -> bool:
        """Return whether a firing makes an incident by itself, which is over already.

        It waits for the lock, and joins no other incident. Not for an application's thread.
        """
        with self._lock, self._shared_state(PATIENCE_SECONDS) as state:
            if state is None:
                return False
            now = self._clock.monotonic_ns()
            refusal = self._refusal(state, firing, now)
            self._counts[firing.trigger, refusal or OPENED] += 1
            if refusal is not None:
                state.refusals.add(firing)
                return False
            incident_id = self._new_id()
            state.cooldowns.tell(firing, incident_id, now)
            state.budget.charge(incident_id, firing.severity)
            return True

    def closed(self, incident_id: str) -> Sequence[JoinedCause]:
        """Note that the incident is no longer open: the next firing does not join it.

        Returns:
            What joined it in other processes.
        """
        with self._lock:
            if self._open_id == incident_id:
                self._open_id = None
            with self._shared_state(PATIENCE_SECONDS) as state:
                return () if state is None else state.close(incident_id)

    def give_back(self, incident_id: str, pause_seconds: float) -> None:
        """Return the budget of an incident that could not be kept, and open none for a while.

        Else what stands in its way, a full disk say, would be met by one incident after the other,
        each of which takes the work of a whole window.
        """
        with self._lock:
            self._not_before_ns = self._clock.monotonic_ns() + int(pause_seconds * 1e9)
            with self._shared_state(PATIENCE_SECONDS) as state:
                if state is not None:
                    state.budget.give_back(incident_id)

    def counts(self) -> dict[tuple[str, str], int]:
        """Return how many firings of this process had each outcome, by trigger and outcome.

        Takes no lock: a finalizer or signal handler may ask within `decide`.
        """
        return dict(self._counts)

    @contextlib.contextmanager
    def _shared_state(self, patience_seconds: float) -> Iterator[GateState | None]:
        """Hold what all processes know, and keep what is made of it.

        Yields:
            Only what this one knows, where the file cannot be had; None: it can in a moment.
        """
        with contextlib.ExitStack() as stack:
            held = None
            if self.file is not None:
                try:
                    now = self._clock.monotonic_ns()
                    seconds = patience_seconds if now >= self._alone_until_ns else 0.0
                    held = stack.enter_context(self.file.held(seconds))
                    if held is None and not patience_seconds:
                        yield None
                        return
                    if held is None and seconds:
                        self._alone_until_ns = now + _ALONE_NS
                    self._state = (held and decoded(held.read())) or self._state
                except OSError:  # its directory is gone, say
                    held = None
            self._state.go_by(self._settings)
            yield self._state
            if held is not None:
                self._state.note(self._member)
                with contextlib.suppress(OSError):  # full: what is there is no longer whole
                    held.write(self._state.encoded())

    def _decide(self, state: GateState, firing: Firing) -> Verdict:
        now = self._clock.monotonic_ns()
        open_id = self._open_id
        if open_id is None and state.opened is not None and now < state.opened.until_ns:
            open_id = state.opened.incident_id
            state.opened.join(firing, getpid())
        if open_id is not None:
            state.cooldowns.tell(firing, open_id, now)
            state.budget.joined(open_id, firing.severity)
            return Verdict(JOINED, open_id)
        refusal = self._refusal(state, firing, now)
        if refusal is not None:
            state.refusals.add(firing)
            return Verdict(refusal, None)
        self._open_id = self._new_id()
        until_ns = now + int(self._settings.tail_seconds * 1e9) + _LATE_NS
        state.opened = OpenAnywhere(self._open_id, getpid(), until_ns)
        state.cooldowns.tell(firing, self._open_id, now)
        state.budget.charge(self._open_id, firing.severity)
        return Verdict(OPENED, self._open_id, state.refusals.take())

    def _refusal(self, state: GateState, firing: Firing, now_ns: int) -> str | None:
        """Return why a firing opens no incident; None: it does."""
        if state.cooldowns.is_cooling_down(firing, now_ns):
            return COOLDOWN
        if self.is_full or now_ns < self._not_before_ns:
            return BACKOFF
        is_new = not state.cooldowns.was_heard_of(firing, now_ns)
        return None if state.budget.allows(firing.severity, now_ns, is_new=is_new) else BUDGET
