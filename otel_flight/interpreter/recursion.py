"""Callbacks of ours that the interpreter calls in the middle of the program; see `_recursion.c`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

try:
    import otel_flight.interpreter._recursion as native  # type: ignore[import-not-found]
except ImportError:
    native = None

Callback = TypeVar("Callback", bound=Callable[..., Any])

IS_GUARDED: Final = native is not None
"""It tells whether callbacks can be kept from failing at the recursion limit: only C can."""


def guarded(callback: Callback) -> Callback:
    """Return a callback that is left out where the thread can hardly call a function any more."""
    if native is None:
        return callback
    found: Callback = native.guarded(callback)
    return found


def guarded_in_collection(callback: Callback) -> Callback:
    """Do the same with a callback of garbage collection.

    What a signal handler raises in it goes on afterwards; without C, the interpreter swallows that,
    as in any such callback.
    """
    if native is None:
        return callback
    found: Callback = native.guarded_in_collection(callback)
    return found
