"""Which suites there are, as `suites.toml` beside this file describes them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_DESCRIPTIONS: Final = Path(__file__).with_name("suites.toml")


@dataclass(frozen=True, kw_only=True)
class Suite:
    """One project's tests, and how to run them.

    Attributes:
        name: of the suite, and of its folder.
        project: whose sdist holds the tests, as the package index names it; empty where the tests
            come with Python, or are in this repository.
        version: of the project, in the environment and of the sdist.
        local: the file of this repository with the tests, relative to this folder.
        oldest_python: what the project needs.
        is_fast: whether it is in the part that every change must pass.
        environment: suites that name the same one share it.
        requirements: what its environment has besides the project, for pip.
        paths: the files and folders that pytest is told to run, in the sdist.
        modules: the modules that unittest is told to run, instead.
        options: more options for pytest.
        remove: folders of the sdist that would hide what is installed.
        variables: more of the process's environment.
        provider: `ours`, `theirs` or `each`: which tracer providers get the recorder.
        silent_seconds: after so long without a test's end, the run counts as hung.
        skip: begins of the ids of tests that are not run at all, with the reasons.
        accepted: begins of the ids of tests that may fail with the recorder, with the reasons.
    """

    name: str
    project: str = ""
    version: str = ""
    local: str = ""
    oldest_python: tuple[int, int] = (3, 10)
    is_fast: bool = False
    environment: str = ""
    requirements: tuple[str, ...] = ()
    paths: tuple[str, ...] = ("tests",)
    modules: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    provider: str = "ours"
    silent_seconds: float = 120.0
    skip: dict[str, str] = field(default_factory=dict)
    accepted: dict[str, str] = field(default_factory=dict)

    def reason_to_accept(self, test_id: str) -> str:
        """Return why a test may fail with the recorder; empty when it may not."""
        for begin, reason in self.accepted.items():
            if test_id.startswith(begin):
                return reason
        return ""


def read_suites(descriptions: Path = _DESCRIPTIONS) -> dict[str, Suite]:
    """Return the suites by their names, in the order of the file.

    Raises:
        TypeError: a suite has a key that is none of `Suite`.
    """
    with descriptions.open("rb") as file:
        tables = tomllib.load(file)
    return {name: _suite(name, table) for name, table in tables.items()}


def _suite(name: str, table: dict[str, Any]) -> Suite:
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in table.items()
    }
    values.setdefault("environment", name)
    return Suite(name=name, **values)
