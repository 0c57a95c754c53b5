"""`otel-flight inspect`: the bytes of a ring, of a live process or a dead one."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.incidents.command_line import run
from tests.support.incidents.incident_builder import IncidentBuilder


@pytest.fixture
def owner(own_environment: Path) -> Iterator[IncidentBuilder]:
    """A live ring with a request in it."""
    with IncidentBuilder(own_environment) as owner:
        root = owner.open("GET /report", 0)
        owner.span("SELECT", 10, 30, root)
        owner.end(root, 100)
        yield owner


def test_rings_are_listed(owner: IncidentBuilder, own_environment: Path) -> None:
    """Without an argument: whose they are, and whether they live."""
    shutil.copy(owner.ring_path, own_environment / "left-behind.ring")
    (own_environment / "other.ring").write_bytes(b"no ring")

    lines = run("inspect").output.splitlines()

    assert sorted(line.split()[:3] for line in lines[1:]) == [
        [str(os.getpid()), "dead", "shop"],
        [str(os.getpid()), "live", "shop"],
    ]
    assert str(owner.ring_path) in "".join(lines)


def test_no_rings_is_no_error(own_environment: Path) -> None:
    """On a host where nothing records, the directories that were searched are named."""
    outcome = run("inspect")

    assert outcome.exit_code == 0
    assert outcome.output.startswith(f"no rings in {own_environment}")


@pytest.mark.parametrize("by_pid", [True, False], ids=["pid", "path"])
def test_the_header_is_printed(owner: IncidentBuilder, by_pid: bool) -> None:
    """State, owner, times, and how full each lane is."""
    output = run("inspect", str(os.getpid()) if by_pid else str(owner.ring_path)).output

    assert output.startswith(str(owner.ring_path))
    assert re.search(r"^state +live$", output, re.MULTILINE)
    assert re.search(r"^service +shop$", output, re.MULTILINE)
    assert re.search(rf"^process +pid {os.getpid()}$", output, re.MULTILINE)
    assert re.search(r"^spans +1 of \d+ +3 ", output, re.MULTILINE)
    assert re.search(r"^runtime +1 of \d+ +0 ", output, re.MULTILINE)


def test_segments_and_records_are_listed(owner: IncidentBuilder) -> None:
    """A record each: number, kind, start, duration, name, span and trace id."""
    output = run("inspect", str(owner.ring_path), "--segments", "--records").output

    assert re.search(r"^1 +0 +5 \(2\) +\d+% .* open$", output, re.MULTILINE)
    records = output.split("Records of lane spans")[1]
    kinds = re.findall(r"^\d+ +(resource|scope|start|span) ", records, re.MULTILINE)
    assert kinds == ["resource", "scope", "start", "span", "span"]
    assert re.search(r"10:00:00.010 +20ms +SELECT +[0-9a-f]{16} +[0-9a-f]{32}$", records, re.M)


def test_the_newest_records_are_shown_when_limited(owner: IncidentBuilder) -> None:
    """What happened last is what one looks for."""
    output = run("inspect", str(owner.ring_path), "--records", "--limit", "1").output

    records = output.split("Records of lane spans")[1]
    assert len(re.findall(r"^\d+ ", records, re.MULTILINE)) == 1
    assert "GET /report" in records


def test_json_has_header_segments_and_records(owner: IncidentBuilder) -> None:
    """A script gets every field of every record."""
    found = run("inspect", str(owner.ring_path), "--records", "--json").json()

    assert found["state"] == "live"
    assert found["header"]["lanes"][0]["segments"] > 1
    assert found["segments"][0]["records"] == 5
    spans = [record for record in found["records"] if record["record"] == "Span"]
    assert [span["name"] for span in spans] == ["SELECT", "GET /report"]
    assert spans[0]["parent_span_id"] == spans[1]["span_id"]


def test_reading_changes_nothing(owner: IncidentBuilder) -> None:
    """A ring can be looked at while it is written: not a byte of it changes."""
    before = owner.ring_path.read_bytes()

    run("inspect", str(owner.ring_path), "--segments", "--records")

    assert owner.ring_path.read_bytes() == before
