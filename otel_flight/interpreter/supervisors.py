"""Who kills this process when it, or one piece of its work, takes too long, and after how long.

A server's limit may come from its command line, a file or code, so what it has in its hands is
asked. Nothing is imported here: what is not loaded kills nobody.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final, NamedTuple

from otel_flight.ground.native import main_ident

_MOST_FRAMES: Final = 500
_MOST_TASKS: Final = 16
"""Of a program with more tasks that have limits of their own, the others count as having none."""


class Supervisor(NamedTuple):
    """Who kills."""

    name: str
    """As it stands in a sentence."""
    limit_seconds: float
    """After so long; 0: there is no limit in general."""
    is_for_requests: bool = True
    """Whether one request or task may take so long; else it is the process that must not be
    silent."""
    tasks: dict[str, float] = {}  # noqa: RUF012  (read only)
    """The limits of single tasks, by the name of their spans."""
    limit_now: Callable[[float], float] | None = None
    """Returns the limit of what the main thread is at, which is so many seconds old; 0: it has none
    of its own. None: nothing has."""

    def limit_of(self, name: str, age_seconds: float = 0.0) -> float:
        """Return the limit of a local root of some age, in seconds; 0: it has none."""
        if not self.is_for_requests:
            return 0.0
        own = self.limit_now(age_seconds) if self.limit_now is not None else 0.0
        return own or self.tasks.get(name, self.limit_seconds)


def find_supervisor() -> Supervisor | None:
    """Return who kills this process; None when nobody is known. Milliseconds at most.

    Never raises for what a program looks like that is not as expected.
    """
    for find in (_gunicorn, _uwsgi, _celery, _lambda, _uvicorn):
        try:
            found = find()
        except Exception:  # noqa: BLE001, S112  (a version that is made otherwise)
            continue
        if found is not None and (found.limit_seconds > 0 or found.tasks or found.limit_now):
            return found
    return None


def _gunicorn() -> Supervisor | None:
    if "gunicorn.arbiter" not in sys.modules:
        return None
    # The frames of a green worker are in a greenlet that the main thread may not be at.
    worker = getattr(signal.getsignal(signal.SIGABRT), "__self__", None)
    if not type(worker).__module__.startswith("gunicorn."):
        worker = _local("gunicorn/arbiter.py", "spawn_worker", "worker")
    if worker is None:
        return None
    is_sync = any(each.__name__ == "SyncWorker" for each in type(worker).__mro__)
    return Supervisor("gunicorn", float(worker.cfg.timeout), is_sync)


def _uvicorn() -> Supervisor | None:
    if "uvicorn.supervisors.multiprocess" not in sys.modules:
        return None
    process = _local("uvicorn/supervisors/multiprocess.py", "target", "self")
    if process is None:
        return None
    seconds = getattr(getattr(process, "config", None), "timeout_worker_healthcheck", 5)
    return Supervisor("uvicorn", float(seconds), is_for_requests=False)


def _uwsgi() -> Supervisor | None:
    options = getattr(sys.modules.get("uwsgi"), "opt", {})
    harakiri = options.get("harakiri") or options.get(b"harakiri")
    return Supervisor("uWSGI's harakiri", float(harakiri)) if harakiri else None


def _celery() -> Supervisor | None:
    state, process = sys.modules.get("celery._state"), sys.modules.get("billiard.process")
    if state is None or process is None:
        return None
    if getattr(process.current_process(), "_parent_pid", None) is None:
        return None
    app: Any = state.get_current_app()
    limits = ((f"run/{name}", task.time_limit) for name, task in dict(app.tasks).items())
    own = {name: float(limit) for name, limit in limits if limit}
    own = dict(sorted(own.items())[:_MOST_TASKS])
    # What its command line says is known to the controller only, whose frames a child inherits.
    controller = _local("celery/worker/worker.py", "start", "self")
    limit = getattr(controller, "time_limit", None) or app.conf.task_time_limit
    return Supervisor("Celery", float(limit or 0), tasks=own, limit_now=_limit_of_call)


def _limit_of_call(_age_seconds: float) -> float:
    """Return the time limit that a call of a task was given."""
    request = _local("celery/app/trace.py", "trace_task", "task_request")
    limits = getattr(request, "timelimit", None)
    return float((limits[0] if limits else 0) or 0)


def _lambda() -> Supervisor | None:
    if "awslambdaric.bootstrap" not in sys.modules:
        return None
    return Supervisor("AWS Lambda", 0.0, limit_now=_limit_of_invocation)


def _limit_of_invocation(age_seconds: float) -> float:
    """Return after how long this invocation is ended, counted from the beginning of its root."""
    context = _local("awslambdaric/bootstrap.py", "handle_event_request", "lambda_context")
    if context is None:
        return 0.0
    return age_seconds + float(context.get_remaining_time_in_millis()) / 1000


def _local(file: str, function: str, name: str) -> Any:
    """Return a variable of a function that the main thread is in, from the outermost one on."""
    for frame in reversed(list(_main_frames())):
        code = frame.f_code
        if code.co_name == function and code.co_filename.replace("\\", "/").endswith(file):
            return frame.f_locals.get(name)
    return None


def _main_frames() -> Iterator[FrameType]:
    frame = sys._current_frames().get(main_ident())
    for _ in range(_MOST_FRAMES):
        if frame is None:
            return
        yield frame
        frame = frame.f_back
