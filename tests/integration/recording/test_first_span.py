"""What a recorder is before the first span of a process: nearly nothing; and how it begins."""

from __future__ import annotations

import ast
import re
import time
from pathlib import Path

import pytest

from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.spool.spool import Spool
from tests.support.processes.service_process import ServiceProcess

INSTALLED = """
import os, signal, sys, threading
import otel_flight
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

provider = TracerProvider(resource=Resource({}), shutdown_on_exit=False)
recorder = otel_flight.install(tracer_provider=provider, export="off", tail_seconds=0)
"""
STATE = """
print({
    "run": "otel_flight.running.run" in sys.modules,
    "heavy": sorted({"asyncio", "grpc", "msgspec", "requests", "ssl"} & sys.modules.keys()),
    "tasks": len(os.listdir("/proc/self/task")),
    "mapped": ".ring" in open("/proc/self/maps").read(),
    "handler": signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,
    "hooks": sys.excepthook is sys.__excepthook__,
    "enabled": recorder.enabled,
})
"""


def run(program: str, *arguments: str, environment: dict[str, str] | None = None) -> str:
    """Run a program to its end; return what it printed."""
    with ServiceProcess(["-c", program, *arguments], environment=environment) as process:
        assert process.wait() == 0, process.output()
        return process.output()


def incidents(tmp_path: Path) -> list[str]:
    """Return the reasons of the incidents in the test's spool."""
    entries = Spool(tmp_path / "spool", 1 << 30, 10).entries()
    return [read_incident(entry.path).manifest.title for entry in entries]


def test_a_process_that_makes_no_span_has_nearly_nothing(own_environment: Path) -> None:
    """No thread, no ring and no hook; nothing that is slow to import is imported."""
    state = ast.literal_eval(run(INSTALLED + STATE))

    assert state == {
        "run": False,
        "heavy": [],
        "tasks": 1,
        "mapped": False,
        "handler": True,
        "hooks": True,
        "enabled": True,
    }
    assert not own_environment.exists()


def test_it_begins_with_the_first_span() -> None:
    """Which is recorded already, as are those that other threads start meanwhile."""
    output = run(
        INSTALLED
        + """
def work():
    provider.get_tracer("t").start_span("work").end()

threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(recorder.statistics().spans.written_records)
"""
    )

    assert output == "16\n"


@pytest.mark.parametrize("how", ["trigger", "snapshot", "start", "statistics"])
def test_it_begins_when_something_is_asked_of_it(tmp_path: Path, how: str) -> None:
    """A program that calls its recorder wants it now."""
    output = run(
        INSTALLED
        + f"""
how = {how!r}
getattr(recorder, how)(*(["odd"] if how == "trigger" else []))
print(".ring" in open("/proc/self/maps").read())
recorder.stop()
print(recorder.enabled, recorder.statistics().is_recording)
"""
    )

    assert output == "True\nFalse False\n"
    assert incidents(tmp_path) == (["odd"] if how == "trigger" else [])


@pytest.mark.parametrize("started", [0, 1])
def test_one_thread_is_enough_and_without_it_nothing_is_recorded(
    own_environment: Path, started: int
) -> None:
    """One warning says so, and the program goes on as without us: nothing is half begun."""
    output = run(
        INSTALLED
        + f"""
from otel_flight.ground import native
start, threads = native.Thread.start, []
def refuse(thread):
    threads.append(thread)
    if len(threads) > {started}: raise RuntimeError("can't start new thread")
    start(thread)
native.Thread.start = refuse
for _ in range(3):
    provider.get_tracer("t").start_span("work").end()
recorder._runs._beginning.wait(20)
print(recorder.enabled, recorder.trigger("odd") is None)
print(".ring" in open("/proc/self/maps").read())
"""
    )

    if started:
        assert output == "True False\nTrue\n"
    else:
        assert output == (
            "otel-flight records nothing in this process: can't start new thread\n"
            "False True\nFalse\n"
        )
        assert not own_environment.exists()


HELD_UP = """
from otel_flight.running.factory import RunFactory
going_on, may_go_on, make = threading.Event(), threading.Event(), RunFactory.make
def make_later(*arguments):
    going_on.set()
    may_go_on.wait(20)
    return make(*arguments)
RunFactory.make = make_later
"""
"""Lets the beginning of the recording last until `may_go_on` is set."""


@pytest.mark.parametrize("begin", ["", "recorder.start()"])
@pytest.mark.parametrize("limit", ["RLIMIT_AS", "RLIMIT_DATA"])
def test_the_last_memory_is_left_to_the_program(limit: str, begin: str) -> None:
    """One warning says that nothing is recorded, and the program has what it had without us."""
    output = run(
        INSTALLED
        + f"""
import resource, time
pages = open("/proc/self/statm").read().split()[0 if {limit!r} == "RLIMIT_AS" else 5]
most = int(pages) * resource.getpagesize() + (32 << 20)
resource.setrlimit(resource.{limit}, (most, most))
{begin}
provider.get_tracer("t").start_span("work").end()
while recorder.enabled: time.sleep(0.01)
print(len(bytes(16 << 20)), "otel_flight.running.run" in sys.modules)
"""
    )

    assert output.endswith("\n16777216 False\n")
    assert output.count("records nothing in this process") == 1
    assert re.search(rf"its {limit} leaves [23]\d\.\d MiB", output)


@pytest.mark.parametrize("begun", [False, True])
def test_a_fake_file_system_has_nothing_of_ours(tmp_path: Path, begun: bool) -> None:
    """An incident within it is written when the real one is back, with its spans."""
    pytest.importorskip("pyfakefs")
    output = run(
        INSTALLED
        + f"""
import time
from pyfakefs.fake_filesystem_unittest import Patcher

def work(): provider.get_tracer("t").start_span("work").end()

def has_begun(): return ".ring" in open("/proc/self/maps").read()

if {begun}:
    work()
    while not has_begun(): time.sleep(0.01)
with Patcher() as patcher:
    patcher.fs.create_file("/data/known.txt")
    work()
    if {begun}:
        recorder.trigger("odd")
        while recorder.statistics().incidents_unspooled == 0: time.sleep(0.01)
    print(sorted(name for _, _, names in os.walk("/") for name in names))
work()
while not has_begun(): time.sleep(0.01)
{begun} or recorder.trigger("odd")
recorder.stop()
"""
    )

    assert output.count("['known.txt']\n") == 1
    assert incidents(tmp_path) == ["odd"]
    assert "cannot write incidents" in output or not begun


def test_a_span_is_not_open_for_longer_as_recording_begins_late(tmp_path: Path) -> None:
    """What has ended by then has taken what it took: it is not slow."""
    run(
        INSTALLED.replace("tail_seconds=0", "tail_seconds=0, slow_root_seconds=0.25")
        + HELD_UP
        + """
provider.get_tracer("t").start_span("quick").end()
going_on.wait(20)
may_go_on.wait(0.5)
may_go_on.set()
recorder.stop()
"""
    )

    assert incidents(tmp_path) == []


def test_the_first_span_waits_for_nothing(tmp_path: Path) -> None:
    """What spans do until recording has begun is recorded all the same, and makes its incident."""
    output = run(
        INSTALLED
        + HELD_UP
        + """
from opentelemetry.trace import StatusCode
tracer = provider.get_tracer("t")
with tracer.start_as_current_span("request"):
    tracer.start_span("query").end()
going_on.wait(20)
with tracer.start_as_current_span("failing") as span:
    span.set_status(StatusCode.ERROR)
print(may_go_on.is_set(), recorder.enabled)
may_go_on.set()
print(recorder.statistics().spans)
recorder.stop()
"""
    )

    assert output == (
        "False True\n"
        "LaneCounts(written_records=5, evicted_records=0, evicted_bytes=0, dropped_records=0)\n"
    )
    assert incidents(tmp_path) == ["error span failing"]


@pytest.mark.parametrize("how", ["exit", "shutdown", "stop", "threads"])
def test_a_program_that_ends_at_once_makes_its_incident(tmp_path: Path, how: str) -> None:
    """However it ends, and also when no thread can be started any more."""
    run(
        INSTALLED
        + f"""
from opentelemetry.trace import StatusCode
def fail():
    span = provider.get_tracer("t").start_span("failing")
    span.set_status(StatusCode.ERROR)
    span.end()
how = {how!r}
if how == "threads":
    def fail_in_the_end():
        threading.main_thread().join()
        fail()
    threading.Thread(target=fail_in_the_end).start()
else:
    fail()
if how == "shutdown": provider.shutdown()
if how == "stop": recorder.stop()
"""
    )

    assert incidents(tmp_path) == ["error span failing"]


def test_an_exit_waits_no_longer_than_it_may() -> None:
    """A file system that hangs keeps no program from its end."""
    started = time.monotonic()
    run(
        INSTALLED.replace("tail_seconds=0", "tail_seconds=0, shutdown_seconds=0.2")
        + HELD_UP
        + """
provider.get_tracer("t").start_span("work").end()
going_on.wait(20)
"""
    )

    assert time.monotonic() - started < 15


def test_a_stop_in_the_middle_lets_nothing_begin(own_environment: Path) -> None:
    """Nor does it wait for ever: what begins afterwards is taken out again."""
    output = run(
        INSTALLED
        + HELD_UP
        + """
provider.get_tracer("t").start_span("work").end()
going_on.wait(20)
thread = recorder._runs._beginning._thread
recorder.stop(timeout_seconds=0)
may_go_on.set()
thread.leave(20)
print(recorder.enabled, len(os.listdir("/proc/self/task")))
"""
    )

    assert output == "False 1\n"
    assert list(own_environment.iterdir()) == []


def test_a_fork_in_the_middle_waits_for_it() -> None:
    """Else the child could never import what that thread was importing; it records for itself."""
    output = run(
        INSTALLED
        + """
import warnings
warnings.simplefilter("ignore")  # of a fork beside the first tick, which is not waited for
tracer = provider.get_tracer("t")
tracer.start_span("work").end()
while not recorder._runs._is_beginning: pass
if os.fork() == 0:
    tracer.start_span("work").end()
    import asyncio, ssl, otel_flight.delivery.delivery
    print(recorder.statistics().spans.written_records, flush=True)
    os._exit(0)
os.wait()
print(recorder.statistics().spans.written_records)
"""
    )

    assert output == "2\n2\n"


def test_it_does_not_import_beside_the_application(tmp_path: Path) -> None:
    """A span may start within an import: of two threads one would get a module in pieces."""
    (tmp_path / "made_a_span.py").write_text(
        "import __main__\n"
        "__main__.provider.get_tracer('t').start_span('work').end()\n"
        "__main__.time.sleep(0.2)\n"
        "print('otel_flight.running.run' in __main__.sys.modules)\n"
    )

    output = run(
        INSTALLED
        + f"""
import time
sys.path.append({str(tmp_path)!r})
import made_a_span
print(recorder.statistics().spans.written_records)
"""
    )

    assert output == "False\n2\n"


@pytest.mark.parametrize("place", ["finalizer", "signal handler"])
def test_it_begins_anywhere(place: str) -> None:
    """Also where the interrupted code may hold any lock."""
    output = run(
        INSTALLED
        + f"""
def work(*_): provider.get_tracer("t").start_span("work").end()
class Finalized:
    __del__ = work
if {place!r} == "finalizer":
    Finalized()
else:
    signal.signal(signal.SIGUSR1, work)
    os.kill(os.getpid(), signal.SIGUSR1)
print(recorder.statistics().spans.written_records, recorder.statistics().errors)
"""
    )

    assert output == "2 ()\n"


def test_all_providers_of_a_recorder_begin_together() -> None:
    """Whichever had the first span."""
    output = run(
        INSTALLED
        + """
other = TracerProvider(resource=Resource({}), shutdown_on_exit=False)
print(otel_flight.install(tracer_provider=other, export="off", tail_seconds=0) is recorder)
for each in (other, provider) * 2:
    each.get_tracer("t").start_span("work").end()
print(recorder.statistics().spans.written_records)
other.shutdown()
provider.get_tracer("t").start_span("work").end()
print(recorder.statistics().spans.written_records)
"""
    )

    assert output == "True\n8\n10\n"


def test_a_wrong_variable_is_told_of_when_it_begins() -> None:
    """Once, by its name; one that every recorder has at once."""
    output = run(
        INSTALLED
        + """
print("installed", flush=True)
for _ in range(2):
    provider.get_tracer("t").start_span("work").end()
""",
        environment={"OTEL_FLIGHT_WINDOW": "long", "OTEL_FLIGHT_SLOW_ROOT": "slow"},
    )

    before, after = output.split("installed\n")
    assert "OTEL_FLIGHT_WINDOW cannot be 'long'" in before
    assert "OTEL_FLIGHT_SLOW_ROOT cannot be 'slow'" in after
    assert output.count("cannot be") == 2


def test_the_children_of_a_server_share_what_records() -> None:
    """But not where a child may patch the standard library: it would not be patched as a whole."""
    program = (
        INSTALLED
        + """
if "green" in sys.argv: sys.modules["gevent"] = os
for _ in range(4):
    if os.fork() == 0:
        shared = "otel_flight.running.run" in sys.modules
        provider.get_tracer("t").start_span("work").end()
        print(shared, recorder.statistics().spans.written_records, flush=True)
        os._exit(0)
    os.wait()
print(len(os.listdir("/proc/self/task")))
"""
    )

    assert run(program) == "False 2\nFalse 2\nTrue 2\nTrue 2\n1\n"
    assert run(program, "green") == "False 2\n" * 4 + "1\n"


@pytest.mark.parametrize("forks", [False, True], ids=["first process", "child"])
def test_the_programs_thread_imports_nothing(*, forks: bool) -> None:
    """A child whose parent was importing the same, on another thread, would wait for ever."""
    program = WATCHED.format(forks=forks)

    with ServiceProcess(["-c", program]) as process:
        code = process.wait()
        output = process.output()

    assert (code, output) == (0, "imported []\n")


WATCHED = """
import _frozen_importlib, os, threading
import otel_flight
from opentelemetry.sdk.trace import TracerProvider

provider = TracerProvider(shutdown_on_exit=False)
recorder = otel_flight.install(tracer_provider=provider, export="off")
tracer = provider.get_tracer("t")
imported, main, find_and_load = [], threading.get_ident(), _frozen_importlib._find_and_load

def watched(name, import_):
    if threading.get_ident() == main:
        imported.append(name)
    return find_and_load(name, import_)

_frozen_importlib._find_and_load = watched
if not {forks} or os.fork() == 0:
    with tracer.start_as_current_span("a"):
        tracer.start_span("b").end()
    print("imported", imported, flush=True)
    _frozen_importlib._find_and_load = find_and_load
else:
    os.wait()
"""
