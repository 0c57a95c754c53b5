"""The names of the triggers: each cause of an incident says which one fired."""

from __future__ import annotations

from typing import Final

DEADLINE: Final = "deadline"
ERROR_SPAN: Final = "error_span"
EXTERNAL: Final = "external"
GC_PAUSE: Final = "gc_pause"
LOG_RECORD: Final = "log_record"
LOOP_STALL: Final = "loop_stall"
MANUAL: Final = "manual"
MEMORY_PRESSURE: Final = "memory_pressure"
PROCESS_DIED: Final = "process_died"
RARE_VALUE: Final = "rare_value"
SIGNAL: Final = "signal"
SLOW_OPEN_ROOT: Final = "slow_open_root"
SLOW_ROOT: Final = "slow_root"
STUCK_SPAN: Final = "stuck_span"
THROTTLING: Final = "throttling"
UNHANDLED_EXCEPTION: Final = "unhandled_exception"
