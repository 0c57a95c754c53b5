"""The names of runtime events, of low cardinality, by the source that records them."""

from __future__ import annotations

from typing import Final

GC_PAUSE: Final = "gc pause"

LOOP_BLOCKED: Final = "event loop blocked"
"""One function ran on the event loop for too long."""
LOOP_SATURATED: Final = "event loop saturated"
"""Many callbacks and steps of tasks followed each other without a rest."""
LOOP_STALLED: Final = "event loop stalled"
"""The event loop was late, and no sample shows why."""

RUNNING: Final = "running"
WAITING: Final = "waiting"
"""These are the names of stack samples."""

LOG_RECORD: Final = "log record"
LOG_RECORDS_LEFT_OUT: Final = "log records left out"

UNHANDLED_EXCEPTION: Final = "unhandled exception"
UNRAISABLE_EXCEPTION: Final = "unraisable exception"
RAISED_EXCEPTION: Final = "raised exception"

PROCESS_VITALS: Final = "process vitals"
CPU_THROTTLED: Final = "cpu throttled"
DESCHEDULED: Final = "process descheduled"
GIL_HELD: Final = "GIL held"
GIL_CONTENDED: Final = "GIL contended"

CPU_PRESSURE: Final = "cpu pressure"
MEMORY_PRESSURE: Final = "memory pressure"
IO_PRESSURE: Final = "io pressure"
