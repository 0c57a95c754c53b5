"""The names of the sources of runtime events: each event says which one it comes from."""

from __future__ import annotations

from typing import Final

GC: Final = "gc"
EVENT_LOOP: Final = "event_loop"
STACKS: Final = "stacks"
LOGS: Final = "logs"
EXCEPTIONS: Final = "exceptions"
RAISED_EXCEPTIONS: Final = "raised_exceptions"
"""It is the source that records exceptions caught within requests. Its events say `exceptions`."""
PROCESS: Final = "process"
THROTTLING: Final = "throttling"
PRESSURE: Final = "pressure"
DESCHEDULING: Final = "descheduling"
LAST_STACKS: Final = "last_stacks"
"""It is the source that has stacks written when Python cannot run. Its events say `stacks`."""
