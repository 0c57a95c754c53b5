"""The source that lets stacks be written without the GIL."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_flight.interpreter.hang_watch import CAN_WATCH
from otel_flight.names import attributes as names
from otel_flight.ring.stacks_file import stacks_path
from otel_flight.sources.last_stacks import SOURCE, LastStacks
from tests.support.rigs.source_rig import SourceRig

needs_c = pytest.mark.skipif(not CAN_WATCH, reason="only C can write stacks without the GIL")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[SourceRig]:
    """What the source is given: pytest has enabled faulthandler itself."""
    with SourceRig(tmp_path, hang_seconds=0.5, tick_seconds=0.01) as rig:
        yield rig


def begun(rig: SourceRig) -> tuple[LastStacks, Path]:
    """Return the source as a run has it before its first tick, and its file."""
    source: Any = rig.build(SOURCE)
    source.start()
    path = rig.session.ring_path
    assert path is not None
    source.ring_made(path)
    return source, stacks_path(path)


def hold_the_gil(seconds: float) -> None:
    """Match a regular expression that takes twice as long for each character."""
    for length in range(18, 60):
        began = time.monotonic()
        re.match(r"(a+)+$", "a" * length + "b")
        if time.monotonic() - began >= seconds:
            return


def test_the_file_is_there_as_long_as_the_source_is(rig: SourceRig) -> None:
    """It is empty, and removed in the end; stopping twice does no harm."""
    source, path = begun(rig)
    source.tick()
    assert path.read_bytes() == b""

    source.stop()
    source.stop()

    assert not path.exists()


@needs_c
def test_a_native_call_that_holds_the_gil_is_named(rig: SourceRig) -> None:
    """With its function and line, of the thread that made it, by the tick after it."""
    source, path = begun(rig)

    hold_the_gil(0.8)
    source.tick()

    source.stop()
    (event,) = [each for each in rig.events() if each.frames[-2].function == hold_the_gil.__name__]
    assert event.frames[-2].file == __file__
    assert event.record.attributes == {names.WITHOUT_GIL: True}
    assert not path.exists()


@needs_c
def test_nothing_is_written_while_there_are_ticks(rig: SourceRig) -> None:
    """However long it goes on."""
    source, path = begun(rig)

    until = time.monotonic() + 1.2
    while time.monotonic() < until:
        source.tick()
        time.sleep(0.01)

    assert path.read_bytes() == b""
    source.stop()
    assert rig.events() == []


def test_a_report_of_a_crash_that_was_none_is_forgotten(rig: SourceRig) -> None:
    """A virtual machine may live on the signals of crashes."""
    source, path = begun(rig)
    path.write_text(
        "Fatal Python error: Segmentation fault\n\n"
        "Current thread 0x00007f04e3c4fb80 (most recent call first):\n"
        '  File "/srv/shop/app.py", line 11 in total\n'
    )

    source.tick()

    assert path.read_bytes() == b""
    source.stop()
    assert rig.events() == []


def test_a_daemon_that_closes_its_file_turns_it_off(rig: SourceRig) -> None:
    """Its number may be another file's by then."""
    source, path = begun(rig)
    for name in Path("/dev/fd").iterdir():
        try:
            is_it = os.path.samestat(os.fstat(int(name.name)), path.stat())
        except OSError:
            continue
        if is_it:
            os.close(int(name.name))

    source.tick()

    assert not path.exists()
    source.stop()


def test_it_is_off_without_either_setting(tmp_path: Path) -> None:
    """Then there is no such source; with one of them there is."""
    with SourceRig(tmp_path, hang_seconds=None, crash_stacks=False) as rig:
        assert SOURCE.build(rig.settings, rig.surroundings) is None
