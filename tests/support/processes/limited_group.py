"""A real control group with a limit, where this machine lets us make one."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from otel_flight.sources.kernel.control_group import find_control_group

_DEADLINE_SECONDS: Final = 10.0
_FILES: Mapping[tuple[str, int], tuple[str, ...]] = {
    ("cpu", 1): ("cpu.cfs_period_us", "cpu.cfs_quota_us"),
    ("cpu", 2): ("cpu.max",),
    ("memory", 1): ("memory.limit_in_bytes",),
    ("memory", 2): ("memory.max",),
}


@contextmanager
def limited_group(controller: str, *limits: str) -> Iterator[Path]:
    """Make a group below this process's own, and remove it; skip the test where that cannot be.

    Args:
        controller: `cpu` or `memory`.
        *limits: for `cpu` the quota and the period in microseconds, for `memory` the bytes.
    """
    found = find_control_group(controller)
    if found is None:
        pytest.skip(f"no control group for {controller} here")
    try:
        group = Path(tempfile.mkdtemp(prefix="otel-flight-test-", dir=found.levels[0]))
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    try:
        names = _FILES[controller, found.version]
        values = [" ".join(limits)] if len(names) == 1 else [limits[1], limits[0]]
        try:
            for name, value in zip(names, values, strict=True):
                (group / name).write_text(value)
        except OSError as error:
            pytest.skip(f"no limit can be set in {group}: {error}")
        yield group
    finally:
        _remove(group)


def _remove(group: Path) -> None:
    """Remove a group, whose last process may still be ending."""
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while True:
        try:
            group.rmdir()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            threading.Event().wait(0.02)
