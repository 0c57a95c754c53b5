"""Which spans were delivered before they ended, known by one process or by several."""

from __future__ import annotations

from pathlib import Path

from otel_flight.incidents.making.sent_unfinished import SentUnfinished
from otel_flight.triggers.gate.shared_file import SharedFile


def test_a_process_alone_remembers() -> None:
    """The last ones, of very many."""
    sent = SentUnfinished(lambda: None)
    sent.add([1, (1 << 64) - 1])
    assert sent.all() == {1, (1 << 64) - 1}

    sent.add(range(100, 20_200))
    assert len(sent.all()) == 20_000
    assert 1 not in sent.all()


def test_processes_with_one_file_remember_together(tmp_path: Path) -> None:
    """Also what one of them knew before they shared it."""
    file = SharedFile(tmp_path / "a.gate")
    first, second = SentUnfinished(lambda: file), SentUnfinished(lambda: file)
    first.add([1, 2])
    second.add([3])

    assert first.all() == second.all() == {1, 2, 3}


def test_without_a_file_each_goes_on_alone(tmp_path: Path) -> None:
    """Its directory is gone, or what is in it is not whole."""
    file = SharedFile(tmp_path / "missing" / "a.gate")
    sent = SentUnfinished(lambda: file)
    sent.add([1])

    assert sent.all() == {1}
