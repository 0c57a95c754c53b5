"""Forking servers: each process records for itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.spool.spool import Spool
from tests.support.processes.service_process import ServiceProcess

SERVER = str(Path(__file__).parent / "programs" / "forking_server.py")


@pytest.mark.parametrize("how", ["hooks", "no-hooks"])
def test_parent_and_child_each_make_their_own_incident(
    tmp_path: Path, own_environment: Path, how: str
) -> None:
    """A child that was forked in the middle of recording loses and mixes up nothing.

    `no-hooks` forks behind Python's back, as uWSGI does: only the process id tells.
    """
    with ServiceProcess([SERVER, how]) as process:
        assert process.wait() == 0, process.output()
        output = process.output()

    assert "child: 1 ()" in output
    assert "child has its own ring: True" in output
    assert "parent: 1 () child exit 0" in output
    entries = Spool(tmp_path / "spool", 1 << 30, 100).entries()
    incidents = [read_incident(entry.path) for entry in entries]
    by_pid = {incident.manifest.process["pid"]: incident for incident in incidents}
    assert len(by_pid) == 2
    found = [
        {span.record.name.split()[0] for span in incident.window.spans()} - {"background"}
        for incident in by_pid.values()
    ]
    assert sorted(found, key=str) == [{"child"}, {"parent"}]
    assert list(own_environment.iterdir()) == []


QUIET_FORK = """
import os
from pathlib import Path
from opentelemetry.sdk.trace import TracerProvider
import otel_flight

# Called last of those before a fork, so after ours.
threads = []
os.register_at_fork(before=lambda: threads.append(len(os.listdir("/proc/self/task"))))
provider = TracerProvider()
recorder = otel_flight.install(
    tracer_provider=provider, export="off", tail_seconds=0, cooldown_seconds=0, tick_seconds=0.01
)
tracer = provider.get_tracer("program")
for number in range(1, 4):
    tracer.start_span("request").end()
    recorder.trigger(f"incident {number}")
    while recorder.statistics().incidents_written < number:
        pass
    while not recorder._run.worker.wait_idle(otel_flight.ground.deadline.Deadline.after(10)):
        pass
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
recorder.stop()
print(threads, recorder.statistics().incidents_written, recorder.statistics().errors)
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads in /proc")
def test_a_fork_finds_no_thread_of_ours(tmp_path: Path) -> None:
    """Python has nothing to warn of, and the parent goes on: it writes an incident after each."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", QUIET_FORK],
        check=False,
        capture_output=True,
        encoding="utf-8",
        cwd=tmp_path,
        timeout=50,
    )

    assert (done.returncode, done.stdout) == (0, "[1, 1, 1] 3 ()\n"), done.stderr
    assert done.stderr == ""


FORKS_AT_ONCE = """
import os, threading
from opentelemetry.sdk.trace import TracerProvider
import otel_flight

provider = TracerProvider()
recorder = otel_flight.install(tracer_provider=provider, export="off")
provider.get_tracer("program").start_span("request").end()

def fork():
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)

for _ in range(5):
    threads = [threading.Thread(target=fork) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
recorder.trigger("the threads have forked")
recorder.stop()
print(recorder.statistics().incidents_written, recorder.statistics().errors)
"""


def test_threads_that_fork_at_the_same_time_leave_the_recorder_as_it_was(tmp_path: Path) -> None:
    """It still writes an incident, and the program ends when it is done."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKS_AT_ONCE],
        check=False,
        capture_output=True,
        encoding="utf-8",
        cwd=tmp_path,
        timeout=30,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "1 ()\n", "")


EARLY_SPAN = """
import os, time
from opentelemetry.sdk.trace import TracerProvider
import otel_flight

def start_early():
    tracer.start_span("early").end()
    time.sleep(WAIT)

os.register_at_fork(after_in_child=start_early)  # called before ours
provider = TracerProvider(shutdown_on_exit=False)
recorder = otel_flight.install(tracer_provider=provider, export="off", tick_seconds=0.01)
tracer = provider.get_tracer("program")
recorder.start()
tracer.start_span("parent").end()
pid = os.fork()
if pid:
    os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
until = time.monotonic() + 20
names = set()
while not {"early", "later"} <= names and time.monotonic() < until:
    tracer.start_span("later").end()
    names = {span.name for span in recorder.snapshot().window.spans()}
    time.sleep(0.01)
print(sorted(names), recorder.statistics().errors)
recorder.stop()
os._exit(0)
"""


@pytest.mark.parametrize("wait", ["0", "0.5"])
def test_a_span_that_a_hook_before_ours_starts_in_the_child_is_its_first(wait: str) -> None:
    """So may a finalizer's be. The child's run begins once, whether or not it has by our hook."""
    with ServiceProcess(["-c", EARLY_SPAN.replace("WAIT", wait)]) as process:
        assert process.wait() == 0, process.output()
        assert process.output() == "['early', 'later'] ()\n"
