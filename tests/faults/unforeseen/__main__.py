"""`make scenarios`: runs each fault and its healthy twin, and prints what was found.

Arguments narrow it down: a scenario is run if its name contains one of them; `twins` runs the
healthy ones as well. Of each, it says how much of the slow span's time stays unknown. It fails if
fewer than nine tenths of the first findings name the culprit.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import pytest

from otel_flight.assembly import ASSEMBLY
from otel_flight.incidents.evidence.durations.own_time import parts_of_slow
from otel_flight.incidents.evidence.durations.time_parts import Doing
from otel_flight.incidents.incident import Incident
from tests.faults.fault_run import run_healthy, run_with_fault
from tests.faults.unforeseen.scenario import Scenario
from tests.faults.unforeseen.scenarios import SCENARIOS
from tests.support.processes.service_process import ServiceFailedError

_TWINS: Final = "twins"
_LEAST_SHARE: Final = 0.9


class Outcome(NamedTuple):
    """What was found of a fault.

    Attributes:
        is_named: whether the first finding names it.
        unknown: which part of the slow span's time is unknown, 0 to 1; None without a slow span.
    """

    is_named: bool
    unknown: float | None


def main(words: Sequence[str]) -> int:
    """Run what is asked for; return the exit code."""
    wanted = [word for word in words if word != _TWINS]
    chosen = [
        each
        for each in SCENARIOS
        if not wanted or any(word in each.name.split() for word in wanted)
    ]
    outcomes: list[Outcome] = []
    silent = 0
    for scenario in chosen:
        with tempfile.TemporaryDirectory() as directory:
            outcomes.append(show(scenario, Path(directory)))
            if _TWINS in words:
                firings = _firings_of_twin(scenario, Path(directory))
                silent += not firings
                say(f"{'':8}healthy: {', '.join(firings) or 'silent'}")
    named = sum(outcome.is_named for outcome in outcomes)
    say(f"named {named} of {len(chosen)}")
    shares = [outcome.unknown for outcome in outcomes if outcome.unknown is not None]
    if shares:
        say(f"unknown time: {median(shares):.1%} in the median, {max(shares):.1%} at most")
    if _TWINS in words:
        say(f"silent twins {silent} of {len(chosen)}")
    is_good = named >= _LEAST_SHARE * len(chosen)
    return int(not is_good or (_TWINS in words and silent < len(chosen)))


def _firings_of_twin(scenario: Scenario, directory: Path) -> Sequence[str]:
    try:
        return run_healthy(scenario.fault, directory).firings
    except (pytest.skip.Exception, ServiceFailedError) as error:  # the machine may be too busy
        return [str(error).splitlines()[0]]


def show(scenario: Scenario, directory: Path) -> Outcome:
    """Run a fault and print its first findings."""
    try:
        run = run_with_fault(scenario.fault, directory)
    except ServiceFailedError as error:
        say(f"{'MISSED':8}{scenario.name}: {str(error).splitlines()[0]}")
        return Outcome(is_named=False, unknown=None)
    first = run.findings[0].summary if run.findings else ""
    is_named = any(word in first for word in scenario.named)
    unknown = unknown_share(run.incident)
    told = "" if unknown is None else f"{unknown:.0%} unknown"
    say(f"{'named' if is_named else 'MISSED':8}{scenario.name:60}{told}")
    for finding in run.findings[:3]:
        say(f"{'':8}{finding.rule}: {finding.summary}")
    return Outcome(is_named, unknown)


def unknown_share(incident: Incident) -> float | None:
    """Return which part of the slow span's time nothing accounts for."""
    parts = parts_of_slow(ASSEMBLY.rulebook.evidence(incident))
    unknown_ns = sum(part.duration_ns for part in parts if part.doing is Doing.UNKNOWN)
    return unknown_ns / sum(part.duration_ns for part in parts) if parts else None


def say(line: str) -> None:
    """Print at once: a table of minutes is watched."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
