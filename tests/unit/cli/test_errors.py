"""However a command fails, there is one line on stderr and the exit code that is documented."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.incidents.command_line import FAILED_ID, SLOW_ID, fill_spool, run

WITHOUT = """
import sys
sys.modules[{name!r}] = None
sys.argv = ["otel-flight", "list"]
from otel_flight.cli import main
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["fly"], 2, "No such command 'fly'.*see `otel-flight --help`"),
        (["list", "--limit", "0"], 2, "Invalid value for '--limit'.*see `otel-flight list --help`"),
        (["show"], 2, "Missing argument 'ID': see `otel-flight show --help`"),
        (["show", "1999"], 3, "no incident '1999' in .*spool"),
        (["show", "last"], 3, "no incident 'last' in .*spool"),
        (["show", "missing.flight"], 3, r"no incident 'missing.flight' in \."),
        (["inspect", "/nowhere/x.ring"], 3, "/nowhere/x.ring is not a readable ring"),
        (["inspect", "999999999"], 3, "no process 999999999 has one in .*ring"),
        (["export", "last", "--all"], 2, "give the ids of incidents, or --all"),
        (["trigger", "--service", "shop", "--reason", "r"], 3, "no running service 'shop' in"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(
    arguments: list[str], exit_code: int, message: str
) -> None:
    """The line names the program, what is wrong and what to do; no traceback, no usage text."""
    outcome = run(*arguments)

    assert outcome.exit_code == exit_code
    assert re.fullmatch(f"otel-flight: .*{message}.*\n", outcome.output)


def test_an_ambiguous_id_is_not_found(tmp_path: Path, own_environment: Path) -> None:
    """A beginning that fits several incidents names them."""
    fill_spool(tmp_path / "spool", own_environment)

    outcome = run("show", "2026")

    assert outcome.exit_code == 3
    assert SLOW_ID in outcome.output
    assert FAILED_ID in outcome.output


def test_a_damaged_incident_fails(tmp_path: Path) -> None:
    """A file that is no incident is said to be none."""
    (tmp_path / "x.flight").write_bytes(b"junk")

    outcome = run("show", str(tmp_path / "x.flight"))

    assert outcome.exit_code == 1
    assert "is not a readable incident" in outcome.output
    assert outcome.output.count("\n") == 1


def test_without_a_command_there_is_help() -> None:
    """The bare command lists the commands."""
    outcome = run()

    assert outcome.exit_code == 0
    assert re.search(r"^  trigger +Ask a running service", outcome.output, re.MULTILINE)


@pytest.mark.parametrize("name", ["click", "rich"])
def test_a_missing_extra_is_named(name: str) -> None:
    """Without the packages of the extra there is one line saying how to get them."""
    program = [sys.executable, "-c", WITHOUT.format(name=name)]

    result = subprocess.run(program, capture_output=True, text=True, check=False)

    assert result.returncode == 2
    assert result.stderr == (
        "otel-flight: packages needed for the command line are not installed: "
        "run `pip install 'otel-flight[cli]'`\n"
    )


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path, own_environment: Path) -> None:
    """`otel-flight show … | head` ends without a traceback."""
    fill_spool(tmp_path / "spool", own_environment)
    command = [sys.executable, "-m", "otel_flight.cli", "show", SLOW_ID, "--json"]

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read()

    assert errors == b""
    assert process.returncode == 1


def test_output_survives_a_plain_encoding(tmp_path: Path, own_environment: Path) -> None:
    """In a locale without Unicode nothing fails."""
    fill_spool(tmp_path / "spool", own_environment)
    command = [sys.executable, "-m", "otel_flight.cli", "show", "last"]

    result = subprocess.run(
        command, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"}, check=True
    )

    assert b"charge card" in result.stdout
    assert result.stdout.isascii()
