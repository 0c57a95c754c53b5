"""The ends of child processes that run their library's exit handlers, and none of Python's.

They end by `os._exit`. Nothing is imported here: a library that is not loaded has no children.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Final

_LIBRARIES: Final = ("multiprocessing", "billiard")
"""Their processes run the finalizers of the library; concurrent.futures uses the former."""
_LAST: Final = -1_000
"""Our finalizer has this priority: those with a higher one, which may make spans, go first."""
_CELERY: Final = "celery.signals"
"""The workers of its pool run no finalizers, but tell this module that they end."""


def call_at_end_of_child(end: Callable[..., object]) -> None:
    """Call something when this process ends, if it is a child of a library that is loaded.

    Args:
        end: a bound method that takes whatever keywords; called once or several times.
    """
    for library in _LIBRARIES:
        process, util = (sys.modules.get(f"{library}.{name}") for name in ("process", "util"))
        if process is not None and util is not None and _is_child(process):
            util.Finalize(None, end, exitpriority=_LAST)
    if signals := sys.modules.get(_CELERY):
        signals.worker_process_shutdown.connect(end)


def _is_child(process: ModuleType) -> bool:
    return getattr(process.current_process(), "_parent_pid", None) is not None
