"""Which frames are the recorder's own."""

from __future__ import annotations

from pathlib import Path

import pytest

import otel_flight
from otel_flight.interpreter.own_frames import is_ours, without_ours
from otel_flight.sources.gc_pauses import GcPauses

PACKAGE = Path(otel_flight.__file__).parent


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (str(PACKAGE / "sources" / "gc_pauses.py"), True),
        (str(PACKAGE / "ground" / "guard.py"), True),
        (str(PACKAGE / "cli" / "demo" / "service.py"), False),
        (f"{PACKAGE}_plugin/hooks.py", False),
        ("/srv/otel_flight/app.py", False),
        ("<string>", False),
        ("", False),
    ],
)
def test_files_of_the_recorder(file: str, expected: bool) -> None:
    """Those of this very package; the demo's service is an application like any other."""
    assert is_ours(file) is expected


def test_places_of_the_recorder_are_left_out() -> None:
    """Wherever they are in a stack; the rest stays in its order."""

    def handler() -> None:
        pass

    ours = GcPauses.tick.__code__, 1
    theirs = handler.__code__, 2
    made_up = "(3 frames left out)", 0

    assert without_ours([theirs, ours, made_up, theirs, ours]) == [theirs, made_up, theirs]
