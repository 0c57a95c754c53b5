"""The firing for a process that died, which another process makes."""

from __future__ import annotations

from otel_flight.names import trigger_names
from otel_flight.records.normal_names import normal_name
from otel_flight.triggers.gate.firing import Firing
from otel_flight.triggers.gate.severity import Severity


def death_firing(subject: str, time_ns: int) -> Firing:
    """Return the firing for a process that died; it is the same cause for the same `subject`.

    Args:
        subject: what it was serving longest; empty: nothing, as far as is known.
        time_ns: when it was alive last, by the wall clock.
    """
    name = trigger_names.PROCESS_DIED
    return Firing(
        trigger=name,
        reason="process died",
        subject=subject,
        fingerprint=(name, normal_name(subject)),
        time_ns=time_ns,
        severity=Severity.DIED,
    )
