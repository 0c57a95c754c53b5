"""Whether a process lives on behind its ring is asked where its number means it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from otel_flight.ring import dead_rings
from otel_flight.ring.dead_rings import exit_status, is_replaced
from otel_flight.ring.facts import PID_NAMESPACE
from tests.support.rigs.recording_rig import RecordingRig


@pytest.mark.parametrize(("namespace", "expected"), [(None, True), ("pid:[1]", False)])
def test_a_number_means_another_process_in_another_container(
    own_environment: Path, namespace: str | None, expected: bool
) -> None:
    """The containers of a pod have each a process 1; a ring of one is no other one's."""
    with RecordingRig(own_environment, window_bytes="512KiB") as rig:
        if namespace is not None:
            rig.ring.write_facts({PID_NAMESPACE: namespace})
        header = rig.ring.image.header()

        assert is_replaced(header) is expected  # this process has that number, and lives
        assert exit_status(header) is None


def test_a_process_that_is_ending_does_not_live_on(
    own_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its ring is free some microseconds before the kernel calls it a zombie."""
    fields = dead_rings._stat(os.getpid())
    fields[6] = str(int(fields[6]) | 0x4)
    with RecordingRig(own_environment, window_bytes="512KiB") as rig:
        header = rig.ring.image.header()
        assert is_replaced(header)

        monkeypatch.setattr(dead_rings, "_stat", lambda pid: fields)

        assert not is_replaced(header)
