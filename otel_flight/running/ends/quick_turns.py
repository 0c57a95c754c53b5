"""Short turns with the GIL, while the process ends: what is left to do is done in time.

A thread that wants the GIL waits for as long as each thread that computes may keep it, 5 ms. Beside
sixteen of them, one system call after another takes 80 ms, and an incident needs hundreds.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Final

_TURN_SECONDS: Final = 0.0001
"""A thread keeps the GIL for so many seconds where another one wants it."""


def take_quick_turns() -> None:
    """Let turns be short from now on: nothing of the application follows."""
    sys.setswitchinterval(min(_TURN_SECONDS, sys.getswitchinterval()))


@contextlib.contextmanager
def quick_turns() -> Iterator[None]:
    """Let turns be short in a `with` block; then they are as before, unless changed meanwhile."""
    before = sys.getswitchinterval()
    take_quick_turns()
    ours = sys.getswitchinterval()
    try:
        yield
    finally:
        if sys.getswitchinterval() == ours:
            sys.setswitchinterval(before)
