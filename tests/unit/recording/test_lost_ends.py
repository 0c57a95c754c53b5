"""A span that ended while a signal handler raised is recorded, once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.implementations.hot_paths import HOT_PATHS
from tests.support.rigs.recording_rig import RecordingRig


@pytest.fixture(params=HOT_PATHS)
def rig(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RecordingRig]:
    """A processor with a real ring."""
    with RecordingRig(tmp_path / "ring", window_bytes="512KiB", compiled=request.param) as rig:
        yield rig


def names(rig: RecordingRig) -> list[str]:
    """Return the names of the spans that have ended, as far as is recorded."""
    return [record.name for record in rig.spans()]


def test_it_is_recorded_at_the_second_look(rig: RecordingRig) -> None:
    """At the first one it may be about to be; one that is open stays so."""
    lost, _open = rig.tracer.start_span("lost"), rig.tracer.start_span("open")
    lost._end_time = time.time_ns()  # type: ignore[attr-defined]  # and the handler raises here

    rig.session.checkpoint_open_spans()
    assert names(rig) == []
    rig.session.checkpoint_open_spans()

    assert names(rig) == ["lost"]
    assert [span.name for span in rig.session.open_spans.spans.values()] == ["open"]
    assert len(rig.session.open_spans.roots) == 1


def test_it_is_not_recorded_again(rig: RecordingRig) -> None:
    """A processor before ours may have been slow, as one is that exports on the spot."""
    slow = rig.tracer.start_span("slow")
    slow._end_time = time.time_ns()  # type: ignore[attr-defined]
    for _ in range(3):
        rig.session.checkpoint_open_spans()

    rig.processor.on_end(slow)  # type: ignore[arg-type]

    assert names(rig) == ["slow"]
    assert rig.session.open_spans.late == {}
