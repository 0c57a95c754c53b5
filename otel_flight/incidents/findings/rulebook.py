"""The rules in force, and how their findings are put in order."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from otel_flight.ground.deadline import OutOfTime
from otel_flight.ground.guard import Guard
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.gil_yields import YieldGil, keep_gil
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.manifest import Cause, Finding

_WEIGHT_OF_CAUSES: Final = 2
"""The share that a cause explains counts so many times as much as the share of a place: a cause
explains better than the place it worked in, but one that accounts for little is not held up against
the place where the rest of the time went."""

_MOST: Final = 20
"""An incident has at most this many findings."""


@dataclass(frozen=True, kw_only=True)
class Rulebook:
    """What can be found in an incident.

    Attributes:
        rules: in the order of their findings where nothing else decides.
        failure_triggers: the names of the triggers that fire because something failed.
        slow_triggers: the names of those that fire because a span takes too long.
    """

    rules: Sequence[Rule]
    failure_triggers: AbstractSet[str]
    slow_triggers: AbstractSet[str]

    def evidence(self, incident: Incident, yield_gil: YieldGil = keep_gil) -> Evidence:
        """Return what the rules look at, gathered from a closed incident or a snapshot.

        Decodes the whole window: not for application threads.

        Args:
            incident: where it comes from.
            yield_gil: called every few dozen records, so that a live process can get on with its
                work.
        """
        return Evidence(
            incident,
            failure_triggers=self.failure_triggers,
            slow_triggers=self.slow_triggers,
            yield_gil=yield_gil,
        )

    def findings(self, evidence: Evidence, guard: Guard | None = None) -> list[Finding]:
        """Return what the rules find, the best explanation first.

        First of the first cause; then of those in other traces, as far as it explains them.

        Args:
            evidence: what they look at.
            guard: keeps a failing rule from taking the others with it; None: it raises.

        Raises:
            OutOfTime: this process ends.
        """
        found = self._findings(evidence, self.rules, guard)
        explaining = [rule for rule in self.rules if rule.kind is not Kind.CIRCUMSTANCE]
        seen = {_what(cause) for cause in evidence.manifest.causes[:1]}
        for cause in evidence.manifest.causes:
            if _what(cause) not in seen and len(found) < _MOST:
                seen.add(_what(cause))
                of_cause = self._findings(evidence.about(cause), explaining, guard)
                found += [replace(finding, about=cause.trace_id) for finding in of_cause]
        told = {finding.summary: finding for finding in reversed(found)}
        return [finding for finding in found if told[finding.summary] is finding][:_MOST]

    def _findings(
        self, evidence: Evidence, rules: Sequence[Rule], guard: Guard | None
    ) -> list[Finding]:
        found: list[tuple[tuple[bool, float], Finding]] = []
        for rule in rules:
            finding = None
            try:
                finding = rule.find(evidence)
            except OutOfTime:
                raise
            except Exception as error:
                if guard is None:
                    raise
                guard.note(rule.name, error)
            if finding is not None:
                found.append((_rank(rule, finding, evidence), finding))
        return [finding for _, finding in sorted(found, key=lambda each: each[0])]


def _what(cause: Cause) -> object:
    """Return what causes have in common that are explained together: the trace they are in."""
    return cause.trace or cause.trigger


def _rank(rule: Rule, finding: Finding, evidence: Evidence) -> tuple[bool, float]:
    """Of a failure whatever says why is the best explanation, of slowness what took most time."""
    says_why = evidence.is_of_failure and rule.kind is Kind.FAILURE
    weight = _WEIGHT_OF_CAUSES if rule.kind is Kind.CAUSE else 1
    return not says_why, -finding.explained_share * weight
