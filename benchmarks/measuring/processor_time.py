"""The processor time of a piece of work, on the thread that does it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from time import thread_time
from typing import Final

_WARM_UP_SLICES: Final = 5


def microseconds_each(work: Callable[[], object], items: int, slices: int) -> list[float]:
    """Return what one of the items of the work takes, of each of so many times that it is done.

    The collector is off, and collects in between.
    """
    gc.disable()
    microseconds = []
    for number in range(_WARM_UP_SLICES + slices):
        begin = thread_time()
        work()
        if number >= _WARM_UP_SLICES:
            microseconds.append((thread_time() - begin) / items * 1e6)
        gc.collect()
    return microseconds
