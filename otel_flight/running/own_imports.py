"""What our threads are importing: a fork in the middle leaves it locked in the child for ever.

The lock of a module belongs to a thread that the child does not have. Whoever imports the module
there, the program or we at its end, would wait for a thread that never comes.
"""

from __future__ import annotations

from importlib import _bootstrap
from typing import Any, Final

from otel_flight.ground.clock import monotonic_ns
from otel_flight.ground.native import running, sleep

_MOMENT_SECONDS: Final = 0.001
"""So many seconds pass between two looks whether they are done."""


def wait_for_own_imports(timeout_seconds: float) -> None:
    """Wait until no thread of ours imports anything; for a fork, which may not happen meanwhile."""
    until_ns = monotonic_ns() + int(timeout_seconds * 1e9)
    while _is_any_importing() and monotonic_ns() < until_ns:
        sleep(_MOMENT_SECONDS)


def _is_any_importing() -> bool:
    locks: dict[str, Any] = getattr(_bootstrap, "_module_locks", {})
    owners = {getattr(reference(), "owner", None) for reference in list(locks.values())}
    return any(thread.ident in owners for thread in running() if not thread.is_current())
