"""`make suites`: runs other projects' tests plain and with the recorder, and compares."""

from __future__ import annotations

import argparse
import fcntl
import fnmatch
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.suites.catalogue import Suite, read_suites
from tests.suites.comparison import Outcomes, compare
from tests.suites.environments import PreparationError, prepare_environment
from tests.suites.folders import CACHE, RUNS
from tests.suites.interpreters import (
    CURRENT,
    SUPPORTED,
    as_pair,
    find_interpreter,
    has_own_tests,
)
from tests.suites.report import Line, save, table
from tests.suites.run import LIGHT, PLAIN, WITH, Prepared, run_suite

_preparing: Final = threading.Lock()
"""Guards the environments, which suites share."""


def main(arguments: Sequence[str]) -> int:
    """Run what the arguments name; return 0 when nothing failed because of the recorder."""
    suites = read_suites()
    asked = _parser().parse_args(arguments)
    chosen = [each for each in suites.values() if _is_chosen(each, asked.names, asked.fast)]
    unknown = [name for name in asked.names if not fnmatch.filter(suites, name)]
    if unknown or asked.list:
        say(f"no suite is called {', '.join(unknown)}; there are:" if unknown else "the suites:")
        say("\n".join(f"  {each.name} {each.version}" for each in suites.values()))
        return 2 if unknown else 0
    versions = SUPPORTED if asked.python == ["all"] else asked.python or [CURRENT]
    RUNS.mkdir(parents=True, exist_ok=True)
    with _alone(CACHE / "lock"), ThreadPoolExecutor(asked.jobs) as pool:
        runs = [(suite, version) for suite in chosen for version in versions]
        changed = LIGHT if asked.light else WITH
        lines = list(
            pool.map(lambda run: _run(run[0], list(suites.values()), run[1], changed), runs)
        )
    result = table(lines)
    (RUNS / "report.md").write_text(result)
    say(result)
    say(f"logs and outcomes are in {RUNS}")
    return 1 if any(each.is_bad for each in lines) else 0


def say(line: str) -> None:
    """Write a line of progress at once, also into a pipe."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let one run at a time use the environments, which it may make anew."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another run in {path.parent}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make suites", description=__doc__)
    parser.add_argument("names", nargs="*", help="suites, also as cpython-*; default: all")
    parser.add_argument("--fast", action="store_true", help="the part that takes minutes")
    parser.add_argument(
        "--light", action="store_true", help="compare with all spans light instead of a recorder"
    )
    parser.add_argument("--list", action="store_true", help="list the suites")
    parser.add_argument(
        "--python", action="append", help="such as 3.12, repeatable, or all; default: this one"
    )
    parser.add_argument(
        "--jobs", type=int, default=1, help="so many suites at a time; more of them are flaky then"
    )
    return parser


def _is_chosen(suite: Suite, names: Sequence[str], only_fast: bool) -> bool:
    if only_fast and not suite.is_fast:
        return False
    return not names or any(fnmatch.fnmatch(suite.name, name) for name in names)


def _run(suite: Suite, suites: Sequence[Suite], version: str, changed: str) -> Line:
    """Prepare what a suite needs, run it plain and changed, and compare."""
    python = find_interpreter(version)
    missing = ""
    if python is None:
        missing = f"there is no Python {version}"
    elif as_pair(version) < suite.oldest_python:
        missing = "it needs Python {}.{}".format(*suite.oldest_python)
    elif not suite.project and suite.modules and not has_own_tests(python, suite.modules[0]):
        missing = "this Python came without these tests of its own"
    if python is None or missing:
        return Line(suite.name, suite.version, version, left_out=missing)
    folder = RUNS / f"{suite.name}-{version}"
    shutil.rmtree(folder, ignore_errors=True)
    sharing = [each for each in suites if each.environment == suite.environment]
    say(f"{suite.name}, Python {version}: preparing")
    try:
        with _preparing:
            prepared = Prepared(suite, prepare_environment(sharing, python, version), version)
        outcomes, seconds = {}, {}
        for mode in (PLAIN, changed):
            say(f"{suite.name}, Python {version}: running {mode}")
            started = time.monotonic()
            outcomes[mode] = run_suite(prepared, mode, folder)
            seconds[mode] = time.monotonic() - started
    except PreparationError as error:
        return Line(suite.name, suite.version, version, problem=str(error))

    def rerun(mode: str, targets: Sequence[str], number: int) -> Outcomes:
        mode = changed if mode == WITH else mode
        say(f"{suite.name}, Python {version}: running {mode} again, {len(targets)} files")
        return run_suite(prepared, mode, folder / f"again-{number}", targets)

    comparison = compare(suite, outcomes[PLAIN], outcomes[changed], rerun)
    line = Line(
        suite.name,
        suite.version,
        version,
        seconds=(seconds[PLAIN], seconds[changed]),
        comparison=comparison,
    )
    save(line, folder)
    say(f"{suite.name}, Python {version}: {len(comparison.new)} new failures")
    return line


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
