"""Compares a suite's plain run with that with the recorder, test by test."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.suites.catalogue import Suite
from tests.suites.run import EXIT, PLAIN, WITH, Outcome

RERUNS: Final = 3
"""So often the files of tests that differ are run again, plain and with the recorder."""

_GOOD: Final = ("passed", "skipped")
_ENDS_THE_PROCESS: Final = ("crashed", "hung")
_MISSING: Final = Outcome("missing")

Outcomes = Mapping[str, Outcome]
Rerun = Callable[[str, Sequence[str], int], Outcomes]


@dataclass(frozen=True)
class Difference:
    """A test that passed plain and did not with the recorder.

    Attributes:
        test_id: of the test.
        outcome: with the recorder, the first time.
        bad_plain: in how many of the plain runs it did not pass.
        bad_with: in how many of the runs with the recorder it did not pass.
        runs: how many there were of each kind.
        reason: why it is accepted; empty when it is not.
    """

    test_id: str
    outcome: Outcome
    bad_plain: int = 0
    bad_with: int = 1
    runs: int = 1
    reason: str = ""


@dataclass(frozen=True)
class Comparison:
    """What a suite's two runs say together.

    Attributes:
        plain: how many tests passed plain.
        with_recorder: how many passed with the recorder.
        new: the tests that fail because of the recorder, as far as repetition can tell.
        accepted: those of which that is known and accepted.
        flaky: those that differed, but failed plain as well, or in few runs with the recorder.
    """

    plain: int
    with_recorder: int
    new: list[Difference] = field(default_factory=list)
    accepted: list[Difference] = field(default_factory=list)
    flaky: list[Difference] = field(default_factory=list)


def compare(suite: Suite, plain: Outcomes, with_recorder: Outcomes, rerun: Rerun) -> Comparison:
    """Compare two runs; run the files of the tests that differ again before they count.

    Args:
        suite: what was run.
        plain: the outcomes by test id.
        with_recorder: the same, with the recorder.
        rerun: runs the files or modules that it is told in a mode, for the n-th time.
    """
    result = Comparison(plain=_passed(plain), with_recorder=_passed(with_recorder))
    pending = []
    for test_id, outcome in worsened(plain, with_recorder).items():
        reason = suite.reason_to_accept(test_id)
        if reason:
            result.accepted.append(Difference(test_id, outcome, reason=reason))
        else:
            pending.append((test_id, outcome))
    if not pending:
        return result
    targets = files_of(suite, [test_id for test_id, _ in pending])
    reruns = {
        mode: [rerun(mode, targets, number) for number in range(RERUNS)] for mode in (PLAIN, WITH)
    }
    for test_id, outcome in pending:
        bad_plain = sum(_is_bad(plain[test_id], each.get(test_id)) for each in reruns[PLAIN])
        bad_with = 1 + sum(_is_bad(plain[test_id], each.get(test_id)) for each in reruns[WITH])
        difference = Difference(test_id, outcome, bad_plain, bad_with, RERUNS + 1)
        # A crash or a hang is never the test's own weakness; one that waits for the clock often is.
        most_by_chance = 1 if outcome.outcome in _ENDS_THE_PROCESS else RERUNS // 2 + 1
        if bad_plain or bad_with <= most_by_chance:
            result.flaky.append(difference)
        else:
            result.new.append(difference)
    return result


def worsened(plain: Outcomes, with_recorder: Outcomes) -> dict[str, Outcome]:
    """Return the tests that came out worse with the recorder, and how."""
    return {
        test_id: with_recorder.get(test_id, _MISSING)
        for test_id, outcome in plain.items()
        if outcome.outcome in _GOOD and _is_bad(outcome, with_recorder.get(test_id))
    }


def files_of(suite: Suite, test_ids: Sequence[str]) -> list[str]:
    """Return what to run again for these tests: whole files, for a test may need those before it.

    Empty, which means the whole suite, when the end of the process is among them.
    """
    found = [_module_of(each) if suite.modules else _file_of(each) for each in test_ids]
    return [] if "" in found else sorted(set(found))


def _file_of(test_id: str) -> str:
    return "" if test_id == EXIT else test_id.split("::", maxsplit=1)[0]


def _module_of(test_id: str) -> str:
    """Return the module in `module.Class.test_name` or in `setUpClass (module.Class)`."""
    in_brackets = re.fullmatch(r"\w+ \((.+)\)", test_id)
    if in_brackets:
        name = in_brackets[1]
        last = name.rpartition(".")[2]
        return name.rpartition(".")[0] if last[:1].isupper() else name
    parts = test_id.split(".")
    return "" if test_id == EXIT or "_FailedTest" in test_id else ".".join(parts[:-2])


def _is_bad(plain: Outcome, outcome: Outcome | None) -> bool:
    """Return whether a run is worse than the first plain one: skipped, too, counts as worse."""
    if outcome is None:
        return True
    return outcome.outcome not in _GOOD or (
        plain.outcome == "passed" and outcome.outcome == "skipped"
    )


def _passed(outcomes: Outcomes) -> int:
    return sum(each.outcome == "passed" for test, each in outcomes.items() if test != EXIT)
