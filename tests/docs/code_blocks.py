"""The code blocks of a Markdown page, and what each of them asks for.

- `python` is run, unless it begins with a file's name (`# app.py`): then it is saved under it.
- `console` holds commands after `$ `, and what they print; `...` stands for any text.
- `shell` is a script, `yaml` and `ini` are files: each needs a name, unless the shell runs it.
- `text` is neither code nor a command: drawings, and samples of output.

A comment `<!-- not-executed: why -->` right before a block takes it out. Anywhere on a page,
`<!-- needs: module -->` asks for a package that not every test environment has, and
`<!-- backends: jaeger collector -->` for real backends, see page_backends.py.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LANGUAGES = frozenset({"console", "ini", "python", "shell", "text", "yaml"})

_FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,})(?P<language>[^\s`]*)\s*$")
_NOT_EXECUTED = re.compile(r"^\s*<!-- not-executed: (?P<reason>.+) -->\s*$")
_NEEDS = re.compile(r"<!-- needs: (?P<module>[\w.]+) -->")
_BACKENDS = re.compile(r"<!-- backends: (?P<names>[\w ]+) -->")
_FILE_NAME = re.compile(r"^# (?P<name>[\w.-]+\.(?:py|sh|yaml|conf))$")


@dataclass(frozen=True)
class Block:
    """One block of code.

    Attributes:
        line: Where its text begins, from 1.
        reason: Why it is not executed; empty when it is.
    """

    page: Path
    line: int
    language: str
    text: str
    reason: str = ""

    @property
    def place(self) -> str:
        """Where a reader finds it."""
        return f"{self.page}:{self.line}"

    @property
    def file_name(self) -> str:
        """The file it is to be saved as; empty when it is none."""
        found = _FILE_NAME.match(self.text.split("\n", 1)[0])
        return found["name"] if found else ""

    def commands(self) -> Iterator[tuple[str, str]]:
        """Yield the commands of a console block, each with the output shown, which may be empty."""
        command, output = "", ""
        for line in self.text.splitlines(keepends=True):
            if line.startswith("$ "):
                if command:
                    yield command, output
                command, output = line[2:], ""
            elif command.endswith("\\\n") and not output:
                command += line
            else:
                output += line
        yield command, output


def blocks_of(page: Path) -> list[Block]:
    """Return the code blocks of a page; Sphinx directives are none."""
    lines = page.read_text(encoding="utf-8").splitlines()
    found: list[Block] = []
    number = 0
    while number < len(lines):
        opening = _FENCE.match(lines[number])
        number += 1
        if opening is None:
            continue
        begin = number
        while lines[number].strip() != opening["ticks"]:
            number += 1
        text = textwrap.dedent("\n".join(lines[begin:number])) + "\n"
        number += 1
        if not opening["language"].startswith("{"):
            reason = _reason_before(lines[: begin - 1])
            found.append(Block(page, begin + 1, opening["language"], text, reason))
    return found


def needed_modules(page: Path) -> list[str]:
    """Return the modules a page cannot be run without."""
    return _NEEDS.findall(page.read_text(encoding="utf-8"))


def needed_backends(page: Path) -> list[str]:
    """Return the names of the backends that a page is followed against."""
    found = _BACKENDS.search(page.read_text(encoding="utf-8"))
    return found["names"].split() if found else []


def output_matches(shown: str, actual: str) -> bool:
    """Tell whether the output is what a page shows.

    `...` on the page stands for any text, a space for any number of them: columns are as wide as
    what else is in them.
    """
    parts = [re.escape(part) for part in re.split(r" ?\.{3} ?", _tidy(shown))]
    return re.fullmatch(".*".join(parts), _tidy(actual), re.DOTALL) is not None


def _tidy(text: str) -> str:
    lines = text.strip("\n").splitlines()
    return "\n".join(re.sub(" +", " ", line.rstrip()) for line in lines)


def _reason_before(lines: list[str]) -> str:
    written = [line for line in lines[-2:] if line.strip()]
    found = _NOT_EXECUTED.match(written[-1]) if written else None
    return found["reason"] if found else ""
