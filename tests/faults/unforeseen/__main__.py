"""`make scenarios`: runs each fault and its healthy twin, and prints what was found.

Arguments narrow it down: a scenario is run if its name contains one of them; `twins` runs the
healthy ones as well. It fails if fewer than nine tenths of the first findings name the culprit.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.faults.fault_run import run_healthy, run_with_fault
from tests.faults.unforeseen.scenarios import SCENARIOS, Scenario

_TWINS: Final = "twins"
_LEAST_SHARE: Final = 0.9


def main(words: Sequence[str]) -> int:
    """Run what is asked for; return the exit code."""
    wanted = [word for word in words if word != _TWINS]
    chosen = [
        each
        for each in SCENARIOS
        if not wanted or any(word in each.name.split() for word in wanted)
    ]
    named = silent = 0
    for scenario in chosen:
        with tempfile.TemporaryDirectory() as directory:
            named += show(scenario, Path(directory))
            if _TWINS in words:
                firings = run_healthy(scenario.fault, Path(directory)).firings
                silent += not firings
                say(f"{'':8}healthy: {', '.join(firings) or 'silent'}")
    say(f"named {named} of {len(chosen)}")
    if _TWINS in words:
        say(f"silent twins {silent} of {len(chosen)}")
    is_good = named >= _LEAST_SHARE * len(chosen)
    return int(not is_good or (_TWINS in words and silent < len(chosen)))


def show(scenario: Scenario, directory: Path) -> bool:
    """Run a fault and print its first findings; return whether the first one names it."""
    run = run_with_fault(scenario.fault, directory)
    first = run.findings[0].summary if run.findings else ""
    is_named = any(word in first for word in scenario.named)
    say(f"{'named' if is_named else 'MISSED':8}{scenario.name}")
    for finding in run.findings[:3]:
        say(f"{'':8}{finding.rule}: {finding.summary}")
    return is_named


def say(line: str) -> None:
    """Print at once: a table of minutes is watched."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
