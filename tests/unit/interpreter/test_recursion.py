"""Callbacks of ours, where the program has called as many functions as it may."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

import pytest

from otel_flight.interpreter.recursion import IS_GUARDED, guarded

pytestmark = [
    pytest.mark.skipif(not IS_GUARDED, reason="only C can call back with care"),
    pytest.mark.skipif(sys.version_info < (3, 14), reason="it counts calls, on any stack"),
]

STACK_BYTES = 512 * 1024
"""The threads of these tests have a stack of this size: its end is soon reached."""


class Innermost:
    """Calls back while it is printed, within as many calls in C as there are lists around it."""

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback = callback

    def __repr__(self) -> str:
        self.callback()
        return ""


def printed(depth: int, innermost: object) -> bool:
    """Return whether something that deep can be printed."""
    for _ in range(depth):
        innermost = [innermost]
    try:
        return bool(repr(innermost))
    except RecursionError:
        return False


def deepest() -> int:
    """Return how deep something may be so that it can be printed."""
    fits, too_deep = 1, 20_000
    while too_deep - fits > 1:
        middle = (fits + too_deep) // 2
        if printed(middle, Innermost(int)):
            fits = middle
        else:
            too_deep = middle
    return fits


def test_a_callback_is_left_out_where_c_may_call_no_more() -> None:
    """It would fail there, and its error take the place of what the program does."""
    called: list[bool] = []
    callback = guarded(lambda: called.append(printed(20, "")))

    def print_all() -> None:
        most = deepest()
        for depth in (most // 2, *range(most - 100, most)):
            printed(depth, Innermost(callback))

    before = threading.stack_size(STACK_BYTES)
    try:
        thread = threading.Thread(target=print_all)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)

    assert called
    assert all(called)
