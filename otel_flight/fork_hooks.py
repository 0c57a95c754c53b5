"""Forks happen without threads of ours.

From 3.12 on, Python warns of a fork beside other threads, on the program's standard error. And what
a thread is in the middle of, such as an import, stays so in the child for ever.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import Final

from otel_flight.run import Run

_LONGEST_SECONDS: Final = 0.05
"""A fork waits at most so many seconds for our threads; then it happens beside them."""


def register_fork_hooks(find_run: Callable[[], Run | None], forked: Callable[[], None]) -> None:
    """Pause the threads of a run around each fork, and tell of it in the child.

    Args:
        find_run: a method that returns the run at that time.
        forked: a method that lets go of what belongs to the parent. Both are held weakly.
    """
    weak_find, weak_forked = weakref.WeakMethod(find_run), weakref.WeakMethod(forked)

    def run_here() -> Run | None:
        find = weak_find()
        run = None if find is None else find()
        # Of a process that forked without these hooks, as uWSGI does, it is still the parent's.
        return run if run is not None and run.session.pid == os.getpid() else None

    def before() -> None:
        run = run_here()
        if run is not None:
            run.pause_threads(_LONGEST_SECONDS)

    def after_in_parent() -> None:
        run = run_here()
        if run is not None:
            run.resume_threads()

    def after_in_child() -> None:
        call = weak_forked()
        if call is not None:
            call()

    os.register_at_fork(
        before=before, after_in_parent=after_in_parent, after_in_child=after_in_child
    )
