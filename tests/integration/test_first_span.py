"""What a recorder is before the first span of a process: nearly nothing; and how it begins."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from otel_flight.incidents.flight_file import read_incident
from otel_flight.incidents.spool.spool import Spool
from tests.support.service_process import ServiceProcess

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
    "heavy": sorted({"asyncio", "grpc", "requests", "ssl"} & sys.modules.keys()),
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


def test_the_first_root_is_not_slow_because_of_us(tmp_path: Path) -> None:
    """How long recording took to begin is no fault of the request that it began with."""
    run(
        INSTALLED.replace("tail_seconds=0", "tail_seconds=0, slow_root_seconds='20ms'")
        + """
import time
for seconds in (0, 0, 0.03):
    with provider.get_tracer("t").start_as_current_span(f"request {seconds}"):
        time.sleep(seconds)
recorder.stop()
"""
    )

    assert incidents(tmp_path) == ["slow local root request 0.03"]


def test_where_no_thread_can_be_started_nothing_is_recorded(own_environment: Path) -> None:
    """One warning says so, and the program goes on as without us: nothing is half begun."""
    output = run(
        INSTALLED
        + """
from otel_flight import native
def refuse(thread): raise RuntimeError("can't start new thread")
native.Thread.start = refuse
for _ in range(3):
    provider.get_tracer("t").start_span("work").end()
print(recorder.enabled, recorder.trigger("odd"), ".ring" in open("/proc/self/maps").read())
"""
    )

    assert output == (
        "otel-flight records nothing in this process: can't start new thread\nFalse None False\n"
    )
    assert list(own_environment.iterdir()) == []


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
