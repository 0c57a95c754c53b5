"""What a gate remembers: of its own process, or of all those that share a file of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import msgspec

from otel_flight.settings.fields import CoreSettings
from otel_flight.triggers.gate.budget import Budget
from otel_flight.triggers.gate.cooldowns import Cooldowns
from otel_flight.triggers.gate.firing import Firing
from otel_flight.triggers.gate.refusals import RefusalLog

_MOST_JOINED: Final = 64
"""At most this many causes of other processes join an incident; more of them only cool down."""
_MOST_MEMBERS: Final = 64
"""The state knows at most this many processes that have decided by it, the last ones."""
_ID_BYTES: Final = 16

_encode = msgspec.msgpack.Encoder().encode


class JoinedCause(msgspec.Struct):
    """A firing of another process than the one whose incident it joined."""

    pid: int
    firing: Firing
    """Without its trace id, which has too many bits."""
    trace_id: bytes
    repeats: int = 0

    @classmethod
    def of(cls, firing: Firing, pid: int) -> JoinedCause:
        """Return a firing as it goes to another process."""
        return cls(pid, replace(firing, trace_id=0), firing.trace_id.to_bytes(_ID_BYTES, "big"))

    def original(self) -> Firing:
        """Return the firing as it was."""
        return replace(self.firing, trace_id=int.from_bytes(self.trace_id, "big"))


class OpenAnywhere(msgspec.Struct):
    """The incident that is open, of whichever process."""

    incident_id: str
    pid: int
    until_ns: int
    """Its process should have closed it by then: it hangs, or is dead. By the monotonic clock."""
    joined: list[JoinedCause] = []

    def join(self, firing: Firing, pid: int) -> None:
        """Add a firing of another process; of the same one again, count it."""
        for each in self.joined:
            if (each.pid, each.firing.fingerprint) == (pid, firing.fingerprint):
                each.repeats += 1
                return
        if len(self.joined) < _MOST_JOINED:
            self.joined.append(JoinedCause.of(firing, pid))


class Member(msgspec.Struct, frozen=True):
    """A process that has decided by the state."""

    ring: str
    """The name of its ring, which it holds for as long as it lives."""
    parent: int = 0
    """The process that it is a worker of; 0: of none."""
    parent_started: int = 0
    """When that one started: its number may be another one's by now."""


class GateState(msgspec.Struct):
    """Cooldowns, budget, refusals, and what is open. The gate's lock guards it."""

    cooldowns: Cooldowns
    budget: Budget
    refusals: RefusalLog
    opened: OpenAnywhere | None = None
    members: list[Member] = []

    def note(self, member: Member) -> None:
        """Remember who decides; the last ones, of very many."""
        if member not in self.members:
            self.members = [*self.members[1 - _MOST_MEMBERS :], member]

    @classmethod
    def new(cls, settings: CoreSettings, now_ns: int) -> GateState:
        """Return what a gate knows at first."""
        return cls(
            Cooldowns(int(settings.cooldown_seconds * 1e9)),
            Budget.full(settings.incidents_per_hour, now_ns),
            RefusalLog(),
        )

    def go_by(self, settings: CoreSettings) -> None:
        """Go by these settings, whatever those of the process are that decided before."""
        self.cooldowns.cooldown_ns = int(settings.cooldown_seconds * 1e9)
        self.budget.resize(settings.incidents_per_hour)

    def close(self, incident_id: str) -> Sequence[JoinedCause]:
        """Let nothing join an incident from now on; return what has."""
        opened = self.opened
        if opened is None or opened.incident_id != incident_id:
            return ()
        self.opened = None
        return opened.joined

    def encoded(self) -> bytes:
        """Return the state as bytes."""
        return _encode(self)


def decoded(data: bytes) -> GateState | None:
    """Return the state of such bytes; None: they are none."""
    try:
        return msgspec.msgpack.decode(data, type=GateState)
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):
        return None
