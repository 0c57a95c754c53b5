"""The incident of a child process is kept, however its library ends it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.spool.spool import Spool
from tests.support.processes.service_process import ServiceProcess

PROGRAMS = Path(__file__).parent / "programs"


def processes(tmp_path: Path) -> set[int]:
    """Return the ids of the processes that have incidents in the test's spool."""
    entries = Spool(tmp_path / "spool", 1 << 30, 10).entries()
    return {read_incident(entry.path).manifest.process["pid"] for entry in entries}


@pytest.mark.parametrize(
    ("how", "method"),
    [
        ("process", "fork"),
        ("process", "spawn"),
        ("process", "forkserver"),
        ("executor", "fork"),
        ("pool", "forkserver"),
        ("terminated pool", "fork"),
    ],
)
def test_the_incident_of_a_child_is_kept(tmp_path: Path, how: str, method: str) -> None:
    """Such a child runs no exit handlers of Python."""
    with ServiceProcess([str(PROGRAMS / "children.py"), how, method]) as process:
        assert process.wait() == 0, process.output()
        output = process.output()

    child = re.search(r"^child (\d+)$", output, re.MULTILINE)
    assert child is not None, output
    assert processes(tmp_path) == {int(child[1])}, output


@pytest.mark.timeout(90)
def test_the_incident_of_a_celery_worker_is_kept(tmp_path: Path) -> None:
    """A process of the pool ends after its task; at times billiard waits for 30 s before."""
    pytest.importorskip("celery")
    arguments = ["-m", "celery", "-A", "celery_app", "worker", "-P", "prefork", "-c", "1"]
    with ServiceProcess(
        [*arguments, "--max-tasks-per-child=1", "--loglevel=info"], working_directory=PROGRAMS
    ) as worker:
        worker.wait_for(lambda: bool(processes(tmp_path)), "no incident came", 50)
