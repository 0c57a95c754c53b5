"""What the rules in force look at in an incident, and what they find."""

from __future__ import annotations

from otel_flight.assembly import ASSEMBLY
from otel_flight.ground.guard import Guard
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.gil_yields import YieldGil, keep_gil
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.manifest import Finding


def evidence_of(incident: Incident, yield_gil: YieldGil = keep_gil) -> Evidence:
    """Return the evidence in an incident."""
    return ASSEMBLY.rulebook.evidence(incident, yield_gil)


def findings_of(incident: Incident, guard: Guard | None = None) -> list[Finding]:
    """Return what is found in an incident, the best explanation first."""
    return ASSEMBLY.rulebook.findings(evidence_of(incident), guard)
