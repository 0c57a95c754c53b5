"""Which process runs on which core, so that no load generator is measured with the service."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

APPLICATION = 0
"""The core of what is measured."""

OTHERS = 1
"""The core of load generators and receivers."""


def are_separate() -> bool:
    """Return whether this machine can keep the two roles apart."""
    return hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > 1


def pin(role: int) -> None:
    """Keep this process, and the threads it starts from now on, on the core of a role.

    Does nothing on a machine with one core, or with none to choose.
    """
    if are_separate():
        available = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {available[role]})


@contextmanager
def children_on(role: int) -> Iterator[None]:
    """Let programs that are started in the meantime, with all their threads, have a role's core."""
    if not are_separate():
        yield
        return
    available = os.sched_getaffinity(0)
    pin(role)
    try:
        yield
    finally:
        os.sched_setaffinity(0, available)
