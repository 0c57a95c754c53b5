"""`otel-flight compare`: two incidents as text, Markdown and JSON."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.incidents.command_line import FAILED_ID, SLOW_ID, fill_spool, run


@pytest.fixture
def spool(tmp_path: Path, own_environment: Path) -> str:
    """Where two incidents are."""
    fill_spool(tmp_path / "spool", own_environment)
    return str(tmp_path / "spool")


def test_differences_are_marked(spool: str) -> None:
    """What is the same stands in one line, what differs below each other."""
    outcome = run("compare", SLOW_ID, "last", "--spool-directory", spool)

    assert outcome.exit_code == 0
    lines = outcome.output.splitlines()
    assert lines[0] == "[1] slow local root GET /report  shop"
    place = lines.index("* cause  differs")
    assert lines[place + 1 : place + 3] == ["    [1] slow local root", "    [2] error span"]
    assert "  service  shop" in lines


def test_markdown_stands_in_a_fence(spool: str) -> None:
    """Whoever reads it can tell what was recorded from what is said about it."""
    outcome = run("compare", SLOW_ID, FAILED_ID, "--format", "markdown", "--spool-directory", spool)

    first, last = outcome.output.index("```text\n"), outcome.output.rindex("```")
    assert outcome.output.startswith("# Two incidents\n")
    assert outcome.output.index("slow local root") > first
    assert outcome.output[last:].strip() == "```"


def test_json_has_a_version(spool: str) -> None:
    """Scripts get the sections with their rows, and the version of the form."""
    found = run("compare", SLOW_ID, FAILED_ID, "--json", "--spool-directory", spool).json()

    assert found["version"] == 1
    assert [each["id"] for each in found["incidents"]] == [SLOW_ID, FAILED_ID]
    rows = {row["what"]: row for row in found["sections"][0]["rows"]}
    assert rows["cause"] == {
        "what": "cause",
        "values": ["slow local root", "error span"],
        "verdict": "differs",
        "change": "",
    }


def test_what_is_not_there_is_said(spool: str) -> None:
    """A wrong id ends the command with one sentence."""
    outcome = run("compare", SLOW_ID, "2031", "--spool-directory", spool)

    assert outcome.exit_code == 3
    assert "2031" in outcome.output
