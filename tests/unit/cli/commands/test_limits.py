"""`otel-flight limits`: what is normal for each kind of root, and what would be slow."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from otel_flight.triggers.latency.knowledge import FILE_NAME, write_knowledge
from otel_flight.triggers.latency.sketch import LatencySketch
from tests.support.incidents.command_line import run


def sketch(milliseconds: float, values: int) -> LatencySketch:
    """Return a sketch of equal durations."""
    made = LatencySketch()
    for _ in range(values):
        made.add(int(milliseconds * 1_000_000), time.time())
    return made


@pytest.fixture
def spool(own_environment: Path) -> Path:
    """A spool that the environment names, with what two services have learned."""
    directory = own_environment / "spool"
    directory.mkdir(parents=True, exist_ok=True)
    roots = {"GET /item/{id}": sketch(40, 1204), "GET /report": sketch(8000, 90)}
    write_knowledge(directory, "shop", roots, time.time())
    write_knowledge(directory, "bank", {"POST /pay": sketch(200, 50)}, time.time())
    return directory


def test_each_root_has_a_line(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what is usual and from when on it is slow, the slowest of each service first."""
    lines = run("limits", "--spool-directory", str(spool)).output.splitlines()

    assert lines[0].split("  ")[0] == "service"
    assert [line.split()[0] for line in lines[1:]] == ["bank", "shop", "shop"]
    assert "GET /report" in lines[2]
    assert "GET /item/{id}" in lines[3]
    assert " 1204 " in lines[3]
    assert lines[3].endswith("500ms")
    monkeypatch.setenv("OTEL_FLIGHT_SLOW_ROOT_ROUTES", "GET /item*=2s,POST *=off")
    lines = run("limits", "--spool-directory", str(spool)).output.splitlines()
    assert any(line.endswith("2s (set)") for line in lines)
    assert any(line.endswith("never (set)") for line in lines)


def test_one_service(spool: Path) -> None:
    """By its name; as JSON for scripts."""
    output = run("limits", "--service", "bank", "--json", "--spool-directory", str(spool)).output
    (limit,) = json.loads(output)

    assert (limit["service"], limit["name"], limit["seen"]) == ("bank", "POST /pay", 50)
    assert limit["limit_ns"] == pytest.approx(600e6, rel=0.06)
    assert limit["p99_ns"] == pytest.approx(200e6, rel=0.06)


@pytest.mark.parametrize("content", [None, b"{"])
def test_nothing_was_learned(tmp_path: Path, content: bytes | None) -> None:
    """So it says, also of a file that is damaged."""
    if content is not None:
        (tmp_path / FILE_NAME).write_bytes(content)

    outcome = run("limits", "--spool-directory", str(tmp_path))

    assert outcome.exit_code == 0
    assert outcome.output == f"nothing was learned yet, as far as {tmp_path} tells\n"
