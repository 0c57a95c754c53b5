"""The table of what was run, and the list of what fails because of the recorder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tests.suites.comparison import Comparison, Difference

_HEADINGS: Final = (
    "suite",
    "version",
    "Python",
    "plain passed",
    "with passed",
    "new failures",
    "accepted",
    "flaky",
    "seconds plain / with",
)


@dataclass(frozen=True)
class Line:
    """One suite's result with one Python.

    Attributes:
        suite: its name.
        version: of the project; empty for what comes with Python.
        python: the version it ran with.
        seconds: how long the plain run took, and the other.
        comparison: what they say together; None when they were not made.
        left_out: why they were not made, when nothing is wrong with that.
        problem: what went wrong before they could be made.
    """

    suite: str
    version: str
    python: str
    seconds: tuple[float, float] = (0.0, 0.0)
    comparison: Comparison | None = None
    left_out: str = ""
    problem: str = ""

    @property
    def is_bad(self) -> bool:
        """Whether something failed because of the recorder, or nothing could be run at all."""
        found = self.comparison
        return bool(self.problem) or (found is not None and (bool(found.new) or not found.plain))


def table(lines: Sequence[Line]) -> str:
    """Return the result as a table and lists in Markdown."""
    return "\n".join([*_rows(lines), *_lists(lines)]) + "\n"


def save(line: Line, folder: Path) -> None:
    """Keep a result beside its logs, as JSON."""
    (folder / "result.json").write_text(json.dumps(asdict(line), indent=1))


def _rows(lines: Sequence[Line]) -> Iterator[str]:
    yield f"| {' | '.join(_HEADINGS)} |"
    yield "|---" * len(_HEADINGS) + "|"
    for line in lines:
        head = f"| {line.suite} | {line.version} | {line.python} |"
        found = line.comparison
        if found is None:
            yield f"{head} – | – | not run | – | – | – |"
            continue
        seconds = f"{line.seconds[0]:.0f} / {line.seconds[1]:.0f}"
        yield (
            f"{head} {found.plain} | {found.with_recorder} | {len(found.new)} | "
            f"{len(found.accepted)} | {len(found.flaky)} | {seconds} |"
        )


def _lists(lines: Sequence[Line]) -> Iterator[str]:
    for line in lines:
        name = f"{line.suite}, Python {line.python}"
        if line.left_out or line.problem:
            yield f"\n{name} was not run: {line.left_out}{line.problem}"
        if line.comparison is None:
            continue
        for title, differences in (
            ("new failures", line.comparison.new),
            ("accepted", line.comparison.accepted),
            ("flaky", line.comparison.flaky),
        ):
            if differences:
                yield f"\n{title} of {name}:"
                yield from map(_sentence, differences)


def _sentence(difference: Difference) -> str:
    if difference.reason:
        return f"- `{difference.test_id}`: {difference.reason}"
    last = difference.outcome.text.strip().splitlines()[-1:] or [""]
    return (
        f"- `{difference.test_id}`: {difference.outcome.outcome}, with {difference.bad_with} and "
        f"plain {difference.bad_plain} of {difference.runs} times; {last[0][:200]}"
    )
