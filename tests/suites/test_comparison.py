"""Tests how two runs of a suite are compared: what counts as a new failure."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.suites.catalogue import Suite, read_suites
from tests.suites.comparison import Outcomes, compare, files_of, worsened
from tests.suites.run import EXIT, PLAIN, WITH, Outcome

PASSED = Outcome("passed")
SKIPPED = Outcome("skipped")
FAILED = Outcome("failed", "AssertionError")
SUITE = Suite(name="some", project="some", version="1.0", accepted={"a.py::known": "it counts"})


class Reruns:
    """Answers from a list, and remembers what it was asked."""

    def __init__(self, plain: Sequence[Outcomes], with_recorder: Sequence[Outcomes]) -> None:
        self._answers = {PLAIN: plain, WITH: with_recorder}
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    def __call__(self, mode: str, targets: Sequence[str], number: int) -> Outcomes:
        """Return the n-th answer."""
        self.asked.append((mode, tuple(targets)))
        return self._answers[mode][number]


@pytest.mark.parametrize(
    ("plain", "with_recorder", "is_worse"),
    [
        (PASSED, FAILED, True),
        (PASSED, Outcome("altered"), True),
        (PASSED, Outcome("hung"), True),
        (PASSED, SKIPPED, True),
        (PASSED, None, True),
        (SKIPPED, FAILED, True),
        (PASSED, PASSED, False),
        (SKIPPED, PASSED, False),
        (FAILED, FAILED, False),
        (FAILED, PASSED, False),
    ],
)
def test_only_what_got_worse_counts(
    plain: Outcome, with_recorder: Outcome | None, is_worse: bool
) -> None:
    """A test counts when it was good plain and is not any more, or is gone."""
    after = {} if with_recorder is None else {"a.py::test": with_recorder}

    found = worsened({"a.py::test": plain}, after)

    assert bool(found) == is_worse


def test_a_failure_that_repeats_is_new() -> None:
    """A test that fails again with the recorder, and never plain, fails because of it."""
    test = "a.py::test"
    reruns = Reruns([{test: PASSED}] * 3, [{test: FAILED}, {test: PASSED}, {test: FAILED}])

    found = compare(SUITE, {test: PASSED}, {test: FAILED}, reruns)

    assert [(each.test_id, each.bad_plain, each.bad_with) for each in found.new] == [(test, 0, 3)]
    assert reruns.asked == [(PLAIN, ("a.py",))] * 3 + [(WITH, ("a.py",))] * 3


@pytest.mark.parametrize(
    ("plain", "with_recorder"),
    [
        ([PASSED] * 3, [PASSED] * 3),
        ([PASSED] * 3, [PASSED, FAILED, PASSED]),
        ([PASSED, FAILED, PASSED], [FAILED] * 3),
    ],
    ids=["once", "half of the time", "plain too"],
)
def test_a_failure_that_does_not_repeat_or_is_there_plain_is_flaky(
    plain: list[Outcome], with_recorder: list[Outcome]
) -> None:
    """It is listed, and does not count."""
    test = "a.py::test"
    reruns = Reruns([{test: each} for each in plain], [{test: each} for each in with_recorder])

    found = compare(SUITE, {test: PASSED}, {test: FAILED}, reruns)

    assert found.new == []
    assert [each.test_id for each in found.flaky] == [test]


def test_a_hang_that_repeats_once_is_new() -> None:
    """Half of the time is enough where the process does not go on."""
    test, hung = "a.py::test", Outcome("hung")
    reruns = Reruns([{test: PASSED}] * 3, [{test: hung}, {test: PASSED}, {test: PASSED}])

    found = compare(SUITE, {test: PASSED}, {test: hung}, reruns)

    assert [each.test_id for each in found.new] == [test]


def test_an_accepted_failure_is_not_run_again() -> None:
    """It is listed with its reason."""
    test = "a.py::known[1]"

    found = compare(SUITE, {test: PASSED}, {test: FAILED}, Reruns([], []))

    assert found.new == []
    assert [each.reason for each in found.accepted] == ["it counts"]


def test_whole_files_are_run_again() -> None:
    """A test may need those before it to fail; a crash at the end needs the whole suite."""
    assert files_of(SUITE, ["b.py::test", "a.py::Class::test[x]", "a.py::other"]) == [
        "a.py",
        "b.py",
    ]
    assert files_of(SUITE, ["a.py::test", EXIT]) == []


def test_modules_are_run_again() -> None:
    """The same goes for unittest's ids, those of a class or module that could not be set up too."""
    suite = Suite(name="some", modules=("test.test_some",))

    assert files_of(suite, ["test.test_some.part.Class.test_it"]) == ["test.test_some.part"]
    assert files_of(suite, ["setUpClass (test.test_some.part.Class)"]) == ["test.test_some.part"]
    assert files_of(suite, ["setUpModule (test.test_some.part)"]) == ["test.test_some.part"]


def test_each_accepted_failure_has_a_reason() -> None:
    """Nobody may fail or be left out for no reason."""
    suites = read_suites()

    reasons = [
        reason
        for suite in suites.values()
        for reason in [*suite.accepted.values(), *suite.skip.values()]
    ]

    assert all(len(reason) > 20 for reason in reasons)
    assert any(suite.is_fast for suite in suites.values())
