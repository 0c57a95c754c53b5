"""Holds the docstrings of constants to whole sentences: subject, verb, consequence.

A fragment such as "Of one stack that are looked at." parses only behind the name of its constant.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

PACKAGE = Path(__file__).parent.parent / "otel_flight"
NEVER_FIRST: Final = frozenset(
    {"about", "and", "called", "how", "is", "or", "that", "whether", "which", "whose"}
)
"""A docstring that begins with one of these has no subject."""
CLAUSE_FIRST: Final = frozenset(
    {"after", "as", "at", "beyond", "by", "for", "from", "if", "in", "of", "on", "until", "when"}
    | {"where", "while", "with", "without"}
)
"""A docstring that begins with one of these needs a comma: behind it comes its main clause."""
VERB: Final = re.compile(
    r"\b(?:is|has|are|was|were|may|can|must|will|would|had|begin|come|count|do|fit|followed|get|give|go"
    r"|have|hold|keep|lasts|lead|listen|make|name|need|parse|raise|ran|read|remain|run|say|stand"
    r"|stay|take|tell|use|vary|wait|\w{2,}s)\b"
)
"""Third persons end with an s, as plurals do: what this lets through, a reader must find."""


def constants_in(source: str) -> Iterator[tuple[str, str]]:
    """Yield the constants of a module that have a docstring, with that."""
    for assigned, below in pairwise(ast.parse(source).body):
        if (
            isinstance(assigned, ast.Assign | ast.AnnAssign)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
            and isinstance(below.value.value, str)
        ):
            target = assigned.targets[0] if isinstance(assigned, ast.Assign) else assigned.target
            yield ast.unparse(target), " ".join(below.value.value.split())


def complaint_about(docstring: str) -> str | None:
    """Return what keeps a docstring from being a sentence; None when nothing is seen."""
    if not docstring.endswith((".", "…")):
        return "it does not end"
    first = re.split(r"(?<=[.:;]) ", docstring, maxsplit=1)[0]
    words = first.split()
    opener = words[0].strip("`,").lower()
    if opener in NEVER_FIRST or words[1:2] == ["which"]:
        return f"it begins with {words[0]!r}"
    verbs = len(VERB.findall(first))
    is_amount = opener == "at" and words[1] in {"most", "least"}
    if opener in CLAUSE_FIRST and not is_amount and "," not in first:
        return f"it has no main clause behind {words[0]!r}"
    if opener == "what" and verbs < 2:
        return "it has no verb but that of its subject"
    return None if verbs else "it has no verb"


def test_constants_are_described_in_sentences() -> None:
    """Every docstring under a constant of the package."""
    complaints = [
        f"{path.relative_to(PACKAGE)}: {name}: {complaint}: {docstring}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for name, docstring in constants_in(path.read_text(encoding="utf-8"))
        if (complaint := complaint_about(docstring)) is not None
    ]

    assert complaints == []


@pytest.mark.parametrize(
    "fragment",
    [
        "That are looked at.",
        "Of a wait that is over in time.",
        "With one tick.",
        "After which no more samples are begun.",
        "How many stack samples say so.",
        "Whether spans can be recorded",
        "About what a record takes besides.",
        "Is called with each event.",
    ],
)
def test_a_fragment_is_found(fragment: str) -> None:
    """These are what the package once had."""
    assert complaint_about(fragment) is not None


@pytest.mark.parametrize(
    "sentence",
    [
        "At most this many samples are taken with one tick.",
        "With fewer calls before the slow request, nothing is known to be usual.",
        "What is found is a loop, and the id of the thread that runs it.",
        "`schedstat` has at least two fields: nanoseconds on a CPU, and nanoseconds without one.",
    ],
)
def test_a_sentence_is_none(sentence: str) -> None:
    """Subject, verb, and mostly a unit."""
    assert complaint_about(sentence) is None
