"""What the pages for contributors call by its path is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT)
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("**/*.md"))
    if "_build" not in path.parts
)
PATH = re.compile(r"\b(?:otel_flight|tests|benchmarks|docs)/[\w./-]*\.(?:py|c|md)\b")


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
