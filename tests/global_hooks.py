"""What a process has only one of, and a test therefore must leave as it found it."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from opentelemetry import context, trace

from otel_flight.ground.native import running

_MAPS: Final = Path("/proc/self/maps")


@dataclass(frozen=True)
class GlobalHooks:
    """The process-wide hooks as they are at one moment."""

    signal_handlers: dict[str, object]
    """By the signal's name; without SIGALRM, which pytest-timeout takes and returns by itself."""
    gc_callbacks: tuple[object, ...]
    """Without the one that hypothesis adds with its first example, and keeps."""
    immediate_exit: object
    """It is `os._exit`."""
    excepthook: object
    unraisablehook: object
    threading_excepthook: object
    log_record_factory: object
    call_handlers: object
    """The method of `logging.Logger` that every record goes through."""
    tracer_provider: object
    """Can be set once in a process: a test that needs the global one starts a subprocess."""
    otel_context: dict[str, object]
    """Not empty: a span was entered and never left."""
    our_threads: tuple[str, ...]


def capture_hooks() -> GlobalHooks:
    """Return the hooks as they are now."""
    return GlobalHooks(
        signal_handlers={
            each.name: signal.getsignal(each)
            for each in signal.Signals
            if each is not signal.SIGALRM
        },
        gc_callbacks=tuple(
            each for each in gc.callbacks if not each.__module__.startswith("hypothesis.")
        ),
        immediate_exit=os._exit,
        excepthook=sys.excepthook,
        unraisablehook=sys.unraisablehook,
        threading_excepthook=threading.excepthook,
        log_record_factory=logging.getLogRecordFactory(),
        call_handlers=logging.Logger.callHandlers,
        tracer_provider=trace.get_tracer_provider(),
        otel_context=dict(context.get_current()),
        our_threads=tuple(each.name for each in running()),
    )


def hook_changes(before: GlobalHooks, after: GlobalHooks) -> list[str]:
    """Compare two captures; the result has one sentence for each hook that differs."""
    changed = [
        (each.name, getattr(before, each.name), getattr(after, each.name))
        for each in fields(GlobalHooks)
    ]
    return [_sentence(name, old, new) for name, old, new in changed if old != new]


def _sentence(name: str, old: object, new: object) -> str:
    if isinstance(old, dict) and isinstance(new, dict):
        differing = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
        old = {key: value for key, value in old.items() if key in differing}
        new = {key: value for key, value in new.items() if key in differing}
    return f"{name} was {old!r}, is {new!r}"


def mapped_files(folder: Path) -> list[str]:
    """Return the files below `folder` that this process still maps into its memory.

    Garbage is collected first: a mapping that only waits for that is nobody's. Always empty where
    there is no /proc.
    """
    if str(folder) not in _memory_map():
        return []
    gc.collect()
    rows = [row.split(maxsplit=5) for row in _memory_map().splitlines()]
    return sorted({row[5] for row in rows if len(row) > 5 and row[5].startswith(f"{folder}/")})


def _memory_map() -> str:
    return _MAPS.read_text(encoding="utf-8") if _MAPS.exists() else ""
