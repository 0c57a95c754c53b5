"""Whatever tells a recorder that its process ends."""

from __future__ import annotations

import atexit
from collections.abc import Callable

from otel_flight.ground.guard import Guard
from otel_flight.running.ends.child_ends import call_at_end_of_child
from otel_flight.running.ends.immediate_exit import IMMEDIATE_EXIT
from otel_flight.running.ends.quick_turns import quick_turns
from otel_flight.running.ends.termination import TERMINATION, Join, Unfinished
from otel_flight.settings.fields import CoreSettings


class ProcessEnd:
    """Exit handlers, those of child processes, `os._exit(0)`, and SIGTERM.

    Args:
        settings: whether SIGTERM waits, and for how long.
        end: ends what is recorded; in haste, only if there is something.
        end_soon: see `Unfinished`.
        guard: notes what fails.
    """

    def __init__(
        self,
        settings: CoreSettings,
        end: Callable[..., None],
        end_soon: Callable[[], Join | None],
        guard: Guard,
    ) -> None:
        self._end = end
        self._guard = guard
        self._unfinished = Unfinished(settings, end_soon)

    def expect(self) -> None:
        """Be told of it, while there is nothing to finish."""
        atexit.register(self._end_now)
        TERMINATION.expect(self._unfinished)

    def hold(self) -> None:
        """Be told of it, and let SIGTERM wait: there may be something to finish."""
        atexit.register(self._end_now)
        with self._guard.swallow("end of child"):
            call_at_end_of_child(self._end_now)
        IMMEDIATE_EXIT.add(self._end_at_once)
        TERMINATION.add(self._unfinished)

    def let_go(self) -> None:
        """Let SIGTERM and `os._exit(0)` not wait any more."""
        IMMEDIATE_EXIT.remove(self._end_at_once)
        TERMINATION.remove(self._unfinished)

    def finished(self) -> None:
        """Be told of it no more. If SIGTERM came meanwhile, the process dies."""
        atexit.unregister(self._end_now)
        IMMEDIATE_EXIT.remove(self._end_at_once)
        TERMINATION.remove(self._unfinished)

    def _end_at_once(self) -> None:
        with quick_turns():
            self._end(is_hasty=True)

    def _end_now(self, **_: object) -> None:
        with quick_turns():
            self._end()
