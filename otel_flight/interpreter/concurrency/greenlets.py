"""Greenlets, which take turns on one thread under gevent and eventlet: which one runs, and its hub.

Nothing is asked of a greenlet but attributes, and greenlets are never imported here.
"""

from __future__ import annotations

import sys
from typing import Any
from weakref import ref


class GreenletReference(ref):  # type: ignore[type-arg]
    """A weak reference to a greenlet, to be told from one to a task."""

    __slots__ = ()


def current_greenlet_reference() -> GreenletReference | None:
    """Return a reference to the greenlet that runs on this thread; None where that has no other."""
    module: Any = sys.modules.get("greenlet")
    if module is None:
        return None
    current = module.getcurrent()
    return None if current.parent is None else GreenletReference(current)


def is_running(greenlet: Any) -> bool:
    """Return whether a greenlet has its thread just now, which is another one than this."""
    try:
        getattr(greenlet, "gr_context", None)
    except ValueError:  # that is how it is refused
        return True
    return False


def hub_of(greenlet: Any) -> Any:
    """Return the hub of gevent that a greenlet goes back to; None: it has none, or another kind."""
    hub = getattr(greenlet, "parent", None)
    loop = getattr(hub, "loop", None)
    return hub if callable(getattr(loop, "run_callback_threadsafe", None)) else None
