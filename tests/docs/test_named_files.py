"""What the pages for contributors call by its path, or by its name in a file, is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT)
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("**/*.md"))
    if "_build" not in path.parts
)
PATH = re.compile(r"\b(?:otel_flight|tests|benchmarks|docs)/[\w./-]*\.(?:py|c|md)\b")

WALK = ROOT / "docs" / "contributing" / "a-walk-through-the-code.md"
STEP = re.compile(r"\| `(?P<file>otel_flight/[\w./]+)` \| `(?P<name>[\w.]+)` \|$", re.MULTILINE)


def test_every_file_that_is_named_exists() -> None:
    """A path within the repository leads to a file, also after files have moved."""
    named = [
        (str(page), path)
        for page in PAGES
        for path in PATH.findall((ROOT / page).read_text(encoding="utf-8"))
    ]

    missing = [each for each in named if not (ROOT / each[1]).is_file()]

    assert missing == []
    assert len(named) > 3


def test_every_step_of_the_walk_exists() -> None:
    """What a step names is defined in the file that it names: a class, a function or a method."""
    steps = [match.groups() for match in STEP.finditer(WALK.read_text(encoding="utf-8"))]

    missing = [(file, name) for file, name in steps if name not in _names_in(ROOT / file)]

    assert missing == []
    assert len(steps) > 30


def _names_in(file: Path) -> set[str]:
    text = file.read_text(encoding="utf-8")
    if file.suffix in (".c", ".h"):
        return set(re.findall(r"^(\w+)\(", text, re.MULTILINE))
    return set(_definitions(ast.parse(text).body))


def _definitions(body: list[ast.stmt], within: str = "") -> Iterator[str]:
    for each in body:
        if isinstance(each, ast.ClassDef | ast.FunctionDef):
            yield within + each.name
        if isinstance(each, ast.ClassDef):
            yield from _definitions(each.body, f"{each.name}.")
