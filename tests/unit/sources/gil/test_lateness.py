"""Why the ticker was late, from what the kernel counted of its thread."""

from __future__ import annotations

import itertools
import sys
import threading

import pytest

from otel_flight.ground.clock import SYSTEM_CLOCK
from otel_flight.names import event_names
from otel_flight.sources.gil.lateness import Reading, Stretch

MS = 1_000_000
INTERVAL_SECONDS = 0.005


def stretch(
    *,
    asked_ms: int | None = 100,
    took_ms: int,
    others_cpu_ms: int = 0,
    own_cpu_ms: int = 0,
    switches: int | None = 1,
    wall_ms: int | None = None,
    queued_ms: int | None = None,
) -> Stretch:
    """Return a stretch in which all this was so."""
    before = Reading(0, 0, 0, 0, None if switches is None else 0)
    wall_ns = (took_ms if wall_ms is None else wall_ms) * MS
    cpu_ns = (others_cpu_ms + own_cpu_ms) * MS
    after = Reading(took_ms * MS, wall_ns, cpu_ns, own_cpu_ms * MS, switches)
    asked_ns = None if asked_ms is None else asked_ms * MS
    return Stretch(before, after, asked_ns, None if queued_ms is None else queued_ms * MS)


@pytest.mark.parametrize(
    ("wait", "verdict"),
    [
        pytest.param(
            stretch(took_ms=700, others_cpu_ms=690, switches=120),
            event_names.GIL_HELD,
            id="another-thread-computes",
        ),
        pytest.param(
            stretch(took_ms=700, switches=120),
            event_names.GIL_HELD,
            id="another-thread-sleeps-and-holds-on",
        ),
        pytest.param(
            stretch(took_ms=170, others_cpu_ms=100, switches=15),
            event_names.GIL_HELD,
            id="a-short-one-after-work",
        ),
        pytest.param(stretch(took_ms=2100, switches=3), event_names.DESCHEDULED, id="stopped"),
        pytest.param(
            stretch(took_ms=180, others_cpu_ms=22, switches=4),
            event_names.DESCHEDULED,
            id="throttled",
        ),
        pytest.param(
            stretch(took_ms=900, others_cpu_ms=850, switches=2), "", id="only-this-thread-waited"
        ),
        pytest.param(
            stretch(took_ms=700, others_cpu_ms=690, switches=None),
            event_names.GIL_HELD,
            id="no-count-but-busy",
        ),
        pytest.param(
            stretch(took_ms=700, others_cpu_ms=5, switches=None),
            event_names.DESCHEDULED,
            id="no-count-idle",
        ),
    ],
)
def test_a_wait_that_was_too_long(wait: Stretch, verdict: str) -> None:
    """The interpreter was held, the process got no processor, or neither is sure."""
    assert wait.verdict(INTERVAL_SECONDS) == verdict


@pytest.mark.parametrize(
    ("work", "verdict"),
    [
        pytest.param(
            stretch(asked_ms=None, took_ms=600, others_cpu_ms=590, switches=110),
            event_names.GIL_HELD,
            id="another-thread-computes",
        ),
        pytest.param(
            stretch(asked_ms=None, took_ms=600, others_cpu_ms=250, switches=115),
            event_names.GIL_HELD,
            id="another-thread-computes-on-a-busy-machine",
        ),
        pytest.param(
            stretch(asked_ms=None, took_ms=600, others_cpu_ms=590, switches=200),
            "",
            id="another-thread-takes-its-turns",
        ),
        pytest.param(
            stretch(asked_ms=None, took_ms=600, switches=110), "", id="it-may-wait-for-a-disk"
        ),
        pytest.param(
            stretch(asked_ms=None, took_ms=600, own_cpu_ms=590, queued_ms=500),
            event_names.DESCHEDULED,
            id="it-was-ready-and-had-no-processor",
        ),
        pytest.param(stretch(asked_ms=None, took_ms=600, switches=3), "", id="not-known"),
    ],
)
def test_work_that_took_too_long(work: Stretch, verdict: str) -> None:
    """The ticker's own work takes time of its own, so more must be known to blame others."""
    assert work.verdict(INTERVAL_SECONDS) == verdict


def test_own_work_is_not_late() -> None:
    """The processor time that the ticker itself used is taken away."""
    assert stretch(asked_ms=None, took_ms=600, own_cpu_ms=590).late_ns == 10 * MS
    assert stretch(took_ms=130).late_ns == 30 * MS


def test_an_interval_too_long_to_count_by() -> None:
    """With `sys.setswitchinterval(1)` a thread asks only once: processor time decides."""
    assert stretch(took_ms=700, others_cpu_ms=690, switches=3).verdict(1.0) == event_names.GIL_HELD
    assert stretch(took_ms=700, switches=3).verdict(1.0) == event_names.DESCHEDULED


@pytest.mark.parametrize(
    ("took_ms", "wall_ms", "is_set_back"),
    [(700, 700, False), (3_600_100, 100, True), (700, 3_600_700, False), (700, 695, False)],
)
def test_a_wall_clock_that_is_set_back(took_ms: int, wall_ms: int, is_set_back: bool) -> None:
    """Some waits of Python 3.10 last until the wall clock is there again: nobody was late."""
    assert stretch(took_ms=took_ms, wall_ms=wall_ms).is_clock_set_back is is_set_back


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts switches by thread")
def test_a_real_wait_has_few_switches() -> None:
    """Those of a wait that is over in time are what the verdict leaves out."""
    lock = threading.Lock()
    lock.acquire()

    readings = [Reading.now(SYSTEM_CLOCK)]
    for _ in range(5):
        lock.acquire(timeout=0.001)
        readings.append(Reading.now(SYSTEM_CLOCK))

    counts = [reading.switches or 0 for reading in readings]
    switched = [after - before for before, after in itertools.pairwise(counts)]
    assert sorted(switched)[2] in {1, 2}
