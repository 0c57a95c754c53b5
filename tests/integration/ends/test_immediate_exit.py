"""`os._exit(0)` is the end of a process like any other; with another status nothing holds it up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from otel_flight.incidents.flight_file import read_manifest
from otel_flight.incidents.spool.spool import Spool
from otel_flight.names import trigger_names

JOBS = """
import os
import sys

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

import otel_flight

provider = TracerProvider(resource=Resource.create({"service.name": "jobs"}))
otel_flight.install(tracer_provider=provider, slow_root_seconds="off")
tracer = provider.get_tracer("jobs")
for status, error in ((0, ""), (0, "refused"), (0, "")):
    if (child := os.fork()) == 0:
        with tracer.start_as_current_span("job") as span:
            if error:
                span.set_status(trace.StatusCode.ERROR, error)
        os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
"""
WHATEVER = """
import os
import pickle

from opentelemetry.sdk.trace import TracerProvider

import otel_flight

before = os._exit
provider = TracerProvider()
recorder = otel_flight.install(tracer_provider=provider)
recorder.start()


class Worker:
    leave = os._exit


assert pickle.loads(pickle.dumps(os._exit)) is os._exit is not before
assert os._exit.__name__ == before.__name__
recorder.stop()
assert os._exit is before
recorder.start()
Worker().leave(STATUS)
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False
    )


def test_children_that_end_so_make_the_incidents_of_what_failed_and_no_others(
    tmp_path: Path, own_environment: Path
) -> None:
    """As the processes that rq forks for each job: over before recording has begun."""
    process = run(JOBS)

    assert process.returncode == 0, process.stderr
    entries = Spool(tmp_path / "spool", 1 << 30, 100).entries()
    causes = [cause for entry in entries for cause in read_manifest(entry.path).causes]
    assert [(cause.trigger, cause.subject) for cause in causes] == [
        (trigger_names.ERROR_SPAN, "job")
    ]
    assert [path for path in own_environment.iterdir() if path.suffix == ".ring"] == []


@pytest.mark.parametrize(("status", "is_left"), [(0, False), (3, True)])
def test_it_stays_what_it_was_to_the_program(
    own_environment: Path, status: int, is_left: bool
) -> None:
    """It can be pickled and be an attribute of a class, and is given back; the status stays."""
    process = run(WHATEVER.replace("STATUS", str(status)))

    assert process.returncode == status, process.stderr
    assert any(path.suffix == ".ring" for path in own_environment.iterdir()) == is_left
