"""Why a process died, by what it left and what its surroundings said of it."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any, Final

from otel_flight.incidents.evidence.evidence import Evidence, LocalRoot
from otel_flight.incidents.evidence.places import application_frames, described, place_in
from otel_flight.incidents.manifest import Cause
from otel_flight.names import attributes as names
from otel_flight.names import process_attributes as vitals
from otel_flight.names import source_names
from otel_flight.records.records import Frame
from otel_flight.ring.facts import (
    SUPERVISOR,
    SUPERVISOR_IS_FOR_REQUESTS,
    SUPERVISOR_LIMIT,
    SUPERVISOR_TASKS,
)
from otel_flight.words import short_duration, size

_CRASHES: Final = {
    "Segmentation fault": "by a segmentation fault (SIGSEGV)",
    "Bus error": "by a bus error (SIGBUS)",
    "Aborted": "by SIGABRT (`abort`)",
    "Illegal instruction": "by an illegal instruction (SIGILL)",
    "Floating-point exception": "by an arithmetic error (SIGFPE)",
    "Floating point exception": "by an arithmetic error (SIGFPE)",
}
_DEEP: Final = 90
"""A crash so many calls deep, in very few functions, is one of too deep recursion."""
_FEW_FUNCTIONS: Final = 5
_NEARLY: Final = 0.9
_GRACE_NS: Final = 1_000_000_000
"""A process that was last seen at this part of its limit, or so many nanoseconds before it, reached
it: it is not seen all the time."""


def how_it_died(evidence: Evidence, cause: Cause, oldest: LocalRoot | None) -> str:
    """Return how a process ended, as a sentence about it goes on; the surest reason first."""
    return (
        _crashed(evidence, cause.attributes)
        or _out_of_memory(evidence, cause.attributes)
        or _killed_by_supervisor(evidence, cause.attributes, oldest)
        or _exited(cause.attributes)
        or f"ended without a word{_while_held(cause.attributes)}"
    )


def _crashed(evidence: Evidence, attributes: Mapping[str, Any]) -> str:
    error = attributes.get(names.CRASH)
    if not error:
        return ""
    place = place_in(attributes)
    if recursive := _recursion(evidence, attributes):
        return f"was killed by a stack overflow: {recursive} calls itself too often"
    words = f"was killed {_CRASHES.get(str(error), f'by a crash ({error})')}"
    if not place:
        return f"{words} in a thread that runs no Python"
    caller = attributes.get(names.CALLER)
    return f"{words} in {place}{f', called by {caller}' if caller else ''}"


def _recursion(evidence: Evidence, attributes: Mapping[str, Any]) -> str:
    """Return the function that a crash was deep in; empty when it was not deep."""
    if attributes.get(names.CRASH_DEPTH, 0) < _DEEP:
        return ""
    for event in evidence.events(source_names.STACKS):
        frames = event.frames
        if names.WITHOUT_GIL not in event.record.attributes or len(frames) < _DEEP:
            continue
        functions = {(frame.function, frame.file) for frame in frames}
        own: list[Frame] = application_frames(frames)
        if len(functions) <= _FEW_FUNCTIONS and own:
            return described(own[-1])
    return ""


def _out_of_memory(evidence: Evidence, attributes: Mapping[str, Any]) -> str:
    if not attributes.get(vitals.OOM_KILLS):
        return ""
    words = "was killed by the kernel, as memory had run out (OOM)"
    events = evidence.events(source_names.PROCESS)
    last = events[-1].record.attributes if events else {}
    held = last.get(vitals.CONTAINER_MEMORY_HELD)
    limit = last.get(vitals.CONTAINER_MEMORY_LIMIT)
    own = last.get(vitals.MEMORY)
    if held and limit and own:
        return (
            f"{words}: of the {size(limit)} that its container may use, "
            f"{size(held)} were in use when it was last measured, {size(own)} by this process"
        )
    return f"{words}; it had {size(own)} when it was last measured" if own else words


def _killed_by_supervisor(
    evidence: Evidence, attributes: Mapping[str, Any], oldest: LocalRoot | None
) -> str:
    process = evidence.manifest.process
    name, limit_seconds = process.get(SUPERVISOR), process.get(SUPERVISOR_LIMIT, 0)
    silent_ns = attributes.get(names.SILENT, 0)
    took_ns = silent_ns
    if oldest is not None and process.get(SUPERVISOR_IS_FOR_REQUESTS):
        tasks = process.get(SUPERVISOR_TASKS) or {}
        limit_seconds = tasks.get(oldest.name, limit_seconds)
        took_ns = max(silent_ns, oldest.duration_ns)
    limit_ns = int(limit_seconds * 1e9)
    least_ns = max(limit_ns // 2, min(limit_ns * _NEARLY, limit_ns - _GRACE_NS))
    if not name or not limit_ns or took_ns < least_ns:
        return ""
    return f"was killed by {name} after its limit of {short_duration(limit_ns)}" + _while_held(
        attributes
    )


def _while_held(attributes: Mapping[str, Any]) -> str:
    silent_ns = attributes.get(names.SILENT, 0)
    held = (
        f", while a native call held the interpreter's lock (GIL) for {short_duration(silent_ns)}"
    )
    return held if silent_ns else ""


def _exited(attributes: Mapping[str, Any]) -> str:
    status = attributes.get(names.EXIT_STATUS)
    if not isinstance(status, int):
        return ""
    if status >= 0:
        return f"ended by `os._exit({status})`, or as a native library ended it"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"was killed by {name}{_while_held(attributes)}"
