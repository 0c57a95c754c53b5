"""What a dead process left is shown, before anybody recovers it, as recovering will make it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from otel_flight.cli.base import Invocation
from otel_flight.cli.commands.serve.spool_pages import SpoolPages
from otel_flight.cli.left_behind import LeftBehind
from otel_flight.errors import NotAnIncident
from otel_flight.ring.layout import W_PID, W_TERMINATED, WORD
from tests.support.incidents.command_line import run
from tests.support.rigs.recording_rig import RecordingRig

_NO_PROCESS = (1 << 22) + 1
"""Linux gives no process a higher number than one less."""


@pytest.fixture
def ring(own_environment: Path) -> Path:
    """The ring of a process that died in a request."""
    rig = RecordingRig(own_environment, window_bytes="512KiB")
    rig.tracer.start_span("GET /items").end()
    rig.tracer.start_span("GET /report")
    rig.tick()
    rig.ring.heartbeat()
    path = rig.ring.backing.path
    assert path is not None
    rig.session.close(clean=False)
    write_word(path, W_PID, _NO_PROCESS)
    return path


def write_word(ring: Path, word: int, value: int) -> None:
    """Change a word of a ring's header."""
    with ring.open("r+b") as stream:
        stream.seek(word * WORD)
        stream.write(value.to_bytes(WORD, "little"))


def test_it_is_listed(ring: Path) -> None:
    """With what happened, and a warning that nobody has kept it yet."""
    outcome = run("list")

    assert "1 process died, and nobody has recovered what is left of it" in outcome.output
    line = outcome.output.splitlines()[-1]
    assert "process died GET /report" in line
    assert line.endswith("not recovered")
    assert '"is_recovered": false' in run("list", "--json").output
    assert ring.exists()


def test_it_has_the_id_that_it_will_have(ring: Path) -> None:
    """A link to it stays right; the ring is gone then, and the list says no more of it."""
    before = run("list").output.splitlines()[-1].split()[0]

    run("recover")

    after = run("list").output.splitlines()
    assert after[-1].split()[0] == before
    assert len(after) == 2
    assert not ring.exists()


@pytest.mark.parametrize("name", ["last", "path", "id"])
def test_it_is_shown(ring: Path, tmp_path: Path, name: str) -> None:
    """By whatever name, with findings, in every form; the ring stays."""
    listed = run("list").output.splitlines()[-1].split()[0]
    named = {"last": "last", "path": str(ring), "id": listed[:-3]}[name]
    page = tmp_path / "page.html"

    shown = run("show", named)

    assert shown.exit_code == 0
    assert f"[1] process {_NO_PROCESS} ended without a word, and 1 request with it" in shown.output
    assert str(ring) in shown.output
    assert "ended without a word" in run("show", named, "--format", "markdown").output
    assert run("show", named, "--html", str(page)).exit_code == 0
    assert "ended without a word" in page.read_text(encoding="utf-8")
    assert run("export", named, "--speedscope", str(tmp_path / "stacks.json")).exit_code == 0
    assert ring.exists()


def test_it_is_not_sent(ring: Path) -> None:
    """Whoever recovers it sends it, and a backend keeps both copies."""
    outcome = run("export", "last", "--endpoint", "http://127.0.0.1:9")

    assert outcome.exit_code == 1
    assert "`otel-flight recover` first" in outcome.output


def test_it_is_served(ring: Path) -> None:
    """In the list, and with a page of its own."""
    pages = SpoolPages(Invocation())

    listed = pages.find("incidents.json")

    assert listed is not None
    assert b"not recovered" in listed.body
    listed_id = run("list").output.splitlines()[-1].split()[0]
    page = pages.find(f"{listed_id}.html")
    assert page is not None
    assert b"ended without a word" in page.body


def test_what_is_recovered_meanwhile_is_said_to_be(ring: Path, own_environment: Path) -> None:
    """Between the list and the page."""
    left = LeftBehind([own_environment], 60)
    (entry,) = left.entries()

    run("recover")

    assert left.entries() == []
    for read in (left.manifest, left.read):
        with pytest.raises(NotAnIncident, match="recovered meanwhile"):
            read(entry)


def test_who_was_told_to_end_left_nothing_to_see(ring: Path) -> None:
    """As recovering it makes no incident."""
    write_word(ring, W_TERMINATED, time.time_ns())

    assert run("show", str(ring)).exit_code == 3
    assert run("list").output == f"no incidents in {Invocation().spool_directory}\n"


def test_a_damaged_ring_hides_nothing(ring: Path) -> None:
    """It is passed over."""
    ring.with_name("1-damaged.ring").write_bytes(b"junk")
    ring.with_name("2-cut.ring").write_bytes(ring.read_bytes()[:5000])

    assert len(run("list").output.splitlines()) == 3
    assert "is not a readable ring" in run("show", str(ring.with_name("1-damaged.ring"))).output
