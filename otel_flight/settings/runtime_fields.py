"""The settings of the sources of runtime events and of the triggers that watch them.

A part of `otel_flight.settings.fields.Settings`, where the rules are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from otel_flight.settings import kinds
from otel_flight.settings.declaration import setting_field as _setting

__all__ = ["RuntimeSettings"]

_MINUTE, _HOUR = 60.0, 3600.0
_LIMIT: Final = kinds.or_off(kinds.duration(0.001, _HOUR))


@dataclass(frozen=True, kw_only=True)
class RuntimeSettings:
    """What is recorded besides spans, and what of it makes an incident."""

    gc_pause_seconds: float | None = _setting("GC_PAUSE", 0.01, _LIMIT)
    """How long a garbage collection must take to be recorded; all are counted."""

    gc_pause_trigger_seconds: float | None = _setting("GC_PAUSE_TRIGGER", 1.0, _LIMIT)
    """How long a garbage collection must take to make an incident."""

    loop_stall_seconds: float | None = _setting("LOOP_STALL", 0.1, _LIMIT)
    """How long an event loop must be blocked to be recorded, with the stack that blocks it."""

    loop_stall_trigger_seconds: float | None = _setting("LOOP_STALL_TRIGGER", 1.0, _LIMIT)
    """How long an event loop must be blocked to make an incident."""

    stacks_after_seconds: float | None = _setting("STACKS_AFTER", 0.25, _LIMIT)
    """How long a local root must be open before the stacks of its threads and tasks are sampled."""

    descheduled_seconds: float | None = _setting("DESCHEDULED", 0.05, _LIMIT)
    """How late the background thread must be woken for it to be recorded: the process got no
    processor, or another thread did not let go of the interpreter."""

    log_level: str | None = _setting("LOG_LEVEL", "WARNING", kinds.or_off(kinds.log_level()))
    """From which level on log records are recorded, as far as their loggers let them through."""

    log_trigger_level: str | None = _setting("LOG_TRIGGER", None, kinds.or_off(kinds.log_level()))
    """From which level on a log record makes an incident. Such records are recorded in any case."""

    exceptions: bool = _setting("EXCEPTIONS", True, kinds.flag())
    """Whether unhandled exceptions are recorded: those of the main thread, of other threads, of
    asyncio, of finalizers."""

    exception_trigger: bool = _setting("EXCEPTION_TRIGGER", True, kinds.flag())
    """Whether an unhandled exception makes an incident; those of finalizers never do."""

    raised_exceptions: bool = _setting("RAISED_EXCEPTIONS", False, kinds.flag())
    """Whether exceptions that are raised and caught within requests are recorded too. From Python
    3.12 on."""

    process_seconds: float | None = _setting(
        "PROCESS", 1.0, kinds.or_off(kinds.duration(0.1, _HOUR))
    )
    """How often memory, processor time, threads, tasks and open files of the process are noted;
    five times less often in a process that does nothing."""

    memory_trigger_share: float | None = _setting(
        "MEMORY_TRIGGER", 0.95, kinds.or_off(kinds.share(0.1, 1))
    )
    """The part of the container's memory limit that makes an incident when it is in use."""

    throttling: bool = _setting("THROTTLING", True, kinds.flag())
    """Whether the times are recorded in which the container's processor limit held the process
    back, or processes waited for processor, memory or disk (pressure)."""

    throttling_trigger_share: float | None = _setting(
        "THROTTLING_TRIGGER", 0.5, kinds.or_off(kinds.share(0.01, 1))
    )
    """The part of five seconds that the process must be held back by the container's processor
    limit to make an incident."""

    stuck_span_seconds: float | None = _setting(
        "STUCK_SPAN", None, kinds.or_off(kinds.duration(0.1, 24 * _HOUR))
    )
    """How long any span must be open to make an incident, once."""

    logs_endpoint: str | None = _setting("LOGS_ENDPOINT", None, kinds.or_unset(kinds.url()))
    """Where the log records of an incident are sent besides, as OTLP logs. Unset: they are only
    events of its spans."""
