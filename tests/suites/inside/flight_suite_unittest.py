"""Runs modules of unittest, CPython's own among them, as the plugin does it for pytest.

Use: `python -m flight_suite_unittest test.test_logging …`, in an empty folder.
"""

from __future__ import annotations

import faulthandler
import sys
import unittest
from collections.abc import Iterator
from typing import Any

import flight_suite_outcomes
import flight_suite_process


class _Result(unittest.TextTestResult):
    """Writes down what became of each test; a test is as bad as the worst of its subtests."""

    def startTest(self, test: Any) -> None:
        super().startTest(test)
        self._worst, self._text = "passed", ""
        flight_suite_outcomes.began(test.id())
        flight_suite_process.make_spans(20)
        self._span = flight_suite_process.span_around_test(test.id())
        self._span.__enter__()

    def stopTest(self, test: Any) -> None:
        self._span.__exit__(None, None, None)
        outcome = self._worst
        if outcome == "passed" and _was_environment_altered():
            outcome = "altered"
        flight_suite_outcomes.ended(test.id(), outcome, self._text)
        super().stopTest(test)

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, err)
        self._worst, self._text = "error", self.errors[-1][1]
        if not isinstance(test, unittest.TestCase):  # of a class, or a module
            flight_suite_outcomes.ended(test.id(), "error", self._text)

    def addFailure(self, test: Any, err: Any) -> None:
        super().addFailure(test, err)
        self._worst, self._text = "failed", self.failures[-1][1]

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._worst, self._text = "failed", str(err[1])

    def addUnexpectedSuccess(self, test: Any) -> None:
        super().addUnexpectedSuccess(test)
        self._worst = "failed"

    def addSkip(self, test: Any, reason: str) -> None:
        super().addSkip(test, reason)
        if self._worst == "passed":
            self._worst = "skipped"


def _wrapped(tests: Any) -> Iterator[Any]:
    for test in tests:
        if isinstance(test, unittest.TestSuite):
            yield unittest.TestSuite(_wrapped(test))
        elif not flight_suite_outcomes.is_left_out(test.id()):
            yield test


def _was_environment_altered() -> bool:
    """Return whether `test.support` says that a test left threads or processes, and forget it."""
    support = sys.modules.get("test.support")
    altered = bool(getattr(support, "environment_altered", False))
    if altered:
        support.environment_altered = False  # type: ignore[union-attr]
    return altered


def main(names: list[str]) -> int:
    """Run the modules of these names."""
    faulthandler.enable()
    if any(name.split(".")[0] == "test" for name in names):
        from test import support

        support.use_resources = []
        support.verbose = 0
    tests = unittest.TestSuite(_wrapped(unittest.defaultTestLoader.loadTestsFromNames(names)))
    flight_suite_process.let_threads_start()
    runner = unittest.TextTestRunner(resultclass=_Result, verbosity=1)  # type: ignore[arg-type]
    return 0 if runner.run(tests).wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
