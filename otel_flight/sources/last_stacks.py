"""Stacks for when Python cannot run any more: in a crash, and while a native call holds the GIL.

They are written into a file beside the ring, without the GIL. Whoever recovers the ring of a dead
process finds them there; a process that goes on records them with its next tick.
"""

from __future__ import annotations

import faulthandler
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from otel_flight.ground.native import getpid
from otel_flight.interpreter import hang_watch
from otel_flight.interpreter.code.places import Place
from otel_flight.interpreter.own_frames import is_ours
from otel_flight.interpreter.written_stacks import WrittenThread, parse_stacks
from otel_flight.names import attributes as names
from otel_flight.names import event_names, source_names
from otel_flight.recording.open_spans import OpenRoot
from otel_flight.records.records import RuntimeEvent
from otel_flight.ring.stacks_file import StacksFile, WrittenStacks, stacks_path
from otel_flight.settings import kinds
from otel_flight.settings.declaration import SettingsGroup, setting_field
from otel_flight.sources.base import SourceDescription, Surroundings, halves

MOST_THREADS: Final = 32
"""Of a process that hung and goes on, at most so many stacks are recorded."""
_TICKS: Final = 10
"""A process does not hang before so many ticks are missing: a quiet one has every eighth alone."""


@dataclass(frozen=True, kw_only=True)
class LastStacksSettings(SettingsGroup):
    """When stacks are written without the GIL."""

    crash_stacks: bool = setting_field("CRASH_STACKS", True, kinds.flag())
    """Whether the stacks of all threads are written beside the ring when the process crashes, by
    Python's `faulthandler`, unless the application has enabled that itself."""

    hang_seconds: float | None = setting_field("HANG", 2.0, kinds.or_off(kinds.duration(0.5, 3600)))
    """How long the recorder's thread must get no turn, as while a native call holds the GIL, for
    the stacks of all threads to be written beside the ring, as they are then."""


class _File:
    """What `faulthandler` is given for a file, and holds until someone gives it another one."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def flush(self) -> None:
        pass


class LastStacks:
    """Let stacks be written beside the ring, and record those of a process that goes on.

    Args:
        settings: what is on.
        surroundings: what a source is given.
    """

    name = source_names.LAST_STACKS

    def __init__(self, settings: LastStacksSettings, surroundings: Surroundings) -> None:
        self._settings = settings
        self._events = surroundings.events
        self._open_spans = surroundings.open_spans
        self._least_seconds = surroundings.settings.tick_seconds * _TICKS
        self._clock = surroundings.clock
        self._pid = getpid()
        self._file: StacksFile | None = None
        self._is_stopped = False
        self._signal = 0
        self._limit_ns = self._beat_ns = 0
        self._enabled: weakref.ref[_File] | None = None

    def start(self) -> None:
        """Nothing yet: the ring is not there."""

    def ring_made(self, path: Path) -> None:
        """Begin at once: a process may hang before its first tick, in its first request."""
        self._begin(path)
        if self._is_stopped:  # meanwhile, by another thread
            self.stop()

    def stop(self) -> None:
        """Give back what is still ours, and remove the file; in a child, that is the parent's."""
        self._is_stopped = True
        number, self._signal = self._signal, 0
        if number:
            hang_watch.stop(number)
        enabled, self._enabled = self._enabled, None
        if enabled is not None and enabled() is not None:
            hang_watch.disable_crash_stacks()
        file, self._file = self._file, None
        if file is not None:
            file.close(unlink=getpid() == self._pid)

    def tick(self) -> None:
        """Say that all is well; 2 µs on a quiet machine."""
        file = self._file
        if file is not None:
            last_ns, self._beat_ns = self._beat_ns, self._clock.wall_ns()
            hang_watch.beat()
            found = file.take()
            if found is None:
                self.stop()
            elif found.text:
                self._record(found, last_ns + self._limit_ns)

    def _begin(self, ring: Path) -> None:
        self._file = file = StacksFile(stacks_path(ring))
        if self._settings.crash_stacks and not faulthandler.is_enabled():
            # Held by faulthandler alone: that it lets go of it tells that it has another one.
            held = _File(file.descriptor)
            self._enabled = weakref.ref(held)
            hang_watch.enable_crash_stacks(held)
        seconds = self._settings.hang_seconds
        if seconds is not None and hang_watch.CAN_WATCH:
            seconds = max(seconds, self._least_seconds)
            self._limit_ns, self._beat_ns = int(seconds * 1e9), self._clock.wall_ns()
            self._signal = hang_watch.start(_File(file.descriptor), seconds)

    def _record(self, found: WrittenStacks, moment_ns: int) -> None:
        """Record what the threads did while nothing went on; whoever crashed lives all the same."""
        for report in parse_stacks(found.text):
            if report.error:
                continue
            threads = [each for each in report.threads if each.frames and not _is_own(each)]
            for thread in threads[:MOST_THREADS]:
                self._record_thread(thread, min(moment_ns, found.seen_ns))

    def _record_thread(self, thread: WrittenThread, moment_ns: int) -> None:
        root = self._root_on(thread.thread_id)
        context = None if root is None else root[0].get_span_context()
        trace_id, span_id = (context.trace_id, context.span_id) if context else (0, 0)
        places: Sequence[Place] = [(frame, frame.line) for frame in thread.stack]
        self._events.record(
            RuntimeEvent(
                source_names.STACKS,
                event_names.RUNNING,
                moment_ns,
                moment_ns,
                thread.thread_id,
                *halves(trace_id),
                span_id,
                {names.WITHOUT_GIL: True},
            ),
            places,
        )

    def _root_on(self, thread_id: int) -> OpenRoot | None:
        """Return the innermost local root that a thread works for; of tasks, an only one."""
        roots = [each for each in dict(self._open_spans.roots).values() if each[1] == thread_id]
        own = [each for each in roots if each[2] is None]
        return own[-1] if own else roots[0] if len(roots) == 1 else None


def _is_own(thread: WrittenThread) -> bool:
    return is_ours(thread.frames[0].file) or is_ours(thread.frames[-1].file)


def _build(settings: LastStacksSettings, surroundings: Surroundings) -> LastStacks | None:
    if not settings.crash_stacks and (settings.hang_seconds is None or not hang_watch.CAN_WATCH):
        return None
    return LastStacks(settings, surroundings)


SOURCE: Final = SourceDescription(
    name=source_names.LAST_STACKS,
    settings=LastStacksSettings,
    build=_build,
    lane="",
    docs="explanation/runtime-events.md",
)
