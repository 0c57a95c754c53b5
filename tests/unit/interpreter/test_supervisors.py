"""Who kills this process when it takes too long."""

from __future__ import annotations

import signal
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from otel_flight.interpreter.supervisors import Supervisor, find_supervisor


def loaded(monkeypatch: pytest.MonkeyPatch, name: str, **contents: Any) -> None:
    """Let a module seem to be loaded."""
    module = ModuleType(name)
    vars(module).update(contents)
    monkeypatch.setitem(sys.modules, name, module)


def as_code_of(function: Any, file: str, name: str) -> Any:
    """Return a function as if it were of that name, in that file."""
    code = function.__code__.replace(co_filename=file, co_name=name)
    return type(function)(code, function.__globals__)


def test_nobody_does() -> None:
    """The test runner is no server."""
    assert find_supervisor() is None


def test_gunicorn_by_what_the_worker_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """A synchronous worker's request may take as long; of the others it is the worker itself."""
    loaded(monkeypatch, "gunicorn.arbiter")

    class SyncWorker:
        cfg = SimpleNamespace(timeout=7)

    class ThreadWorker:
        cfg = SimpleNamespace(timeout=8)

    def spawn(kind: Any) -> Any:
        worker = kind()
        found = find_supervisor()
        return found, worker

    spawn_worker = as_code_of(spawn, "/venv/gunicorn/arbiter.py", "spawn_worker")

    assert spawn_worker(SyncWorker)[0] == Supervisor("gunicorn", 7.0)
    found = spawn_worker(ThreadWorker)[0]
    assert found == Supervisor("gunicorn", 8.0, is_for_requests=False)
    assert found.limit_of("GET /") == 0


def test_uwsgi_by_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which are bytes."""
    loaded(monkeypatch, "uwsgi", opt={"harakiri": b"5"})

    assert find_supervisor() == Supervisor("uWSGI's harakiri", 5.0)


def test_celery_by_its_configuration_and_its_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a child of its pool only: the parent is not killed."""
    tasks = {
        "app.slow": SimpleNamespace(time_limit=60),
        "app.other": SimpleNamespace(time_limit=None),
    }
    app = SimpleNamespace(conf=SimpleNamespace(task_time_limit=10), tasks=tasks)
    loaded(monkeypatch, "celery._state", get_current_app=lambda: app)
    process = SimpleNamespace(_parent_pid=None)
    loaded(monkeypatch, "billiard.process", current_process=lambda: process)
    assert find_supervisor() is None

    process._parent_pid = 1
    found = find_supervisor()

    assert found is not None
    assert (found.name, found.limit_seconds) == ("Celery", 10.0)
    assert found.tasks == {"run/app.slow": 60.0}
    assert (found.limit_of("run/app.slow"), found.limit_of("run/app.other")) == (60, 10)

    def start(self: Any) -> Supervisor | None:
        return find_supervisor()

    controlled = as_code_of(start, "/venv/celery/worker/worker.py", "start")
    found = controlled(SimpleNamespace(time_limit=7.0))
    assert found is not None
    assert found.limit_seconds == 7, "as its command line says"

    def trace(limits: Any) -> float:
        task_request = SimpleNamespace(timelimit=limits)
        supervisor = find_supervisor()
        assert supervisor is not None
        limit = supervisor.limit_of("run/app.slow")
        del task_request
        return limit

    trace_task = as_code_of(trace, "/venv/celery/app/trace.py", "trace_task")
    assert [trace_task(limits) for limits in ((5, None), (None, 3), None)] == [5, 60, 60]


def test_gunicorn_by_the_signal_of_a_green_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose frames are in a greenlet that is not at work."""
    loaded(monkeypatch, "gunicorn.arbiter")

    class GeventWorker:
        cfg = SimpleNamespace(timeout=9)

        def handle_abort(self, number: int, frame: Any) -> None:
            """End."""

    GeventWorker.__module__ = "gunicorn.workers.ggevent"
    before = signal.signal(signal.SIGABRT, GeventWorker().handle_abort)
    try:
        found = find_supervisor()
    finally:
        signal.signal(signal.SIGABRT, before)

    assert found == Supervisor("gunicorn", 9.0, is_for_requests=False)


def test_lambda_by_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is counted from the beginning of the root, which is a little older."""
    loaded(monkeypatch, "awslambdaric.bootstrap")

    def handle(milliseconds: int) -> float:
        lambda_context = SimpleNamespace(get_remaining_time_in_millis=lambda: milliseconds)
        found = find_supervisor()
        assert found is not None
        limit = found.limit_of("handler", 0.5)
        del lambda_context
        return limit

    code = as_code_of(handle, "/var/runtime/awslambdaric/bootstrap.py", "handle_event_request")

    assert code(2500) == 3.0


def test_what_is_made_otherwise_is_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later version of a server must not fail."""
    loaded(monkeypatch, "uwsgi", opt={"harakiri": b"soon"})
    loaded(monkeypatch, "celery._state")
    loaded(monkeypatch, "billiard.process")

    assert find_supervisor() is None
