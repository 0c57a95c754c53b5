"""The marks that tell where a window begins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_flight.incidents.record_marks import RecordMarks
from otel_flight.ring.layout import LANE_RUNTIME, LANE_SPANS
from tests.support.rigs.recording_rig import RecordingRig

SECOND = 10**9


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[RecordingRig]:
    """Return a session with a ring."""
    with RecordingRig(tmp_path / "ring", window_bytes="512KiB") as rig:
        yield rig


def recorded(rig: RecordingRig) -> int:
    """Record a span, and return how many records the lane has then."""
    rig.tracer.start_span("work").end()
    return rig.ring.image.end_record(LANE_SPANS)


def test_a_window_begins_with_what_was_recorded_after_the_mark_before_it(
    rig: RecordingRig,
) -> None:
    """Everything before that mark is older; what came after it may belong to the window."""
    marks = RecordMarks(60)
    counts = []
    for second in range(100):
        counts.append(recorded(rig))
        marks.note(rig.ring.image, second * SECOND)

    assert marks.first_records(50 * SECOND + 1) == {LANE_SPANS: counts[50], LANE_RUNTIME: 0}
    assert marks.first_records(99 * SECOND)[LANE_SPANS] == counts[98]


def test_nothing_is_too_old_where_no_mark_says_so(rig: RecordingRig) -> None:
    """At the start of a process the window holds everything."""
    marks = RecordMarks(60)
    recorded(rig)
    marks.note(rig.ring.image, 100 * SECOND)

    assert marks.first_records(100 * SECOND) == {}


def test_a_process_that_does_nothing_is_known_to(rig: RecordingRig) -> None:
    """Marks that say the same are one; the last one holds for as long as nothing is recorded."""
    marks = RecordMarks(60)
    count = recorded(rig)
    for second in range(0, 7200, 10):
        marks.note(rig.ring.image, second * SECOND)

    assert marks.first_records(7100 * SECOND)[LANE_SPANS] == count
    assert len(marks._marks) == 1


def test_marks_are_bounded(rig: RecordingRig) -> None:
    """However often a busy process looks, there are no more than fit into a window."""
    marks = RecordMarks(60)
    for tick in range(2000):
        recorded(rig)
        marks.note(rig.ring.image, tick * SECOND // 10)

    assert len(marks._marks) <= 258
    assert len(marks.first_records(140 * SECOND)) == 2
