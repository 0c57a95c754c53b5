"""Runtime events in words: what a log record said, what an exception ended, what changed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from otel_flight.incidents.window import WindowEvent
from otel_flight.interpreter.code.origin import file_name
from otel_flight.names import attributes as names
from otel_flight.names import exception_attributes, log_attributes
from otel_flight.words import one_line, short_duration, size

_LONGEST: Final = 400
_LONGEST_MEASUREMENT: Final = 120
_LONGEST_VALUE: Final = 80
_LEAST_CHANGE: Final = 0.1
"""A number that changed by a smaller part of itself is not worth a word."""
_NOT_SAID: Final = frozenset({log_attributes.LEVEL, exception_attributes.CHAIN})
_PLACE: Final = (names.FUNCTION, names.FILE, names.LINE)
_IN_FILE: Final = re.compile(r"(.*) \((?:.*[/\\])?([^/\\]*)\)")
_PREFIXES: Final = ("flight_recorder.", "process.", "cpython.gc.")
_SUFFIXES: Final = ("_ns", ".usage")
_IN_BYTES: Final = ".memory."
_IN_PARTS: Final = ".utilization"
_IN_SECONDS: Final = ".cpu.time"


def event_words(event: WindowEvent) -> str:
    """Return what an event says besides its name and duration, in one line."""
    attributes = {k: v for k, v in event.record.attributes.items() if k not in _NOT_SAID}
    longest = _LONGEST_MEASUREMENT if is_measurement(event) else _LONGEST
    words = [_said(attributes), _raised(attributes), _ended(attributes), _caught(attributes)]
    place = _place(event, attributes)
    words += [f"{_short(key)}={_value(key, value)}" for key, value in attributes.items()]
    words += [f"({place})"] if place else []
    return one_line(" ".join(filter(None, words)), longest)


def series_words(events: Sequence[WindowEvent]) -> str:
    """Return what became of many events of one kind, by their start: how their numbers changed."""
    if any(event.duration_ns > 0 for event in events):
        durations = [event.duration_ns for event in events]
        total, longest = short_duration(sum(durations)), short_duration(max(durations))
        return f"{total} in all, the longest {longest}"
    first, last = events[0].record.attributes, events[-1].record.attributes
    changes = [
        f"{_short(key)} {_value(key, first[key])} → {_value(key, value)}"
        for key, value in last.items()
        if key in first and abs(value - first[key]) > _LEAST_CHANGE * abs(first[key])
    ]
    return one_line(", ".join(changes), _LONGEST) or "nothing changed much"


def is_measurement(event: WindowEvent) -> bool:
    """Return whether an event is all numbers: what many of its kind say is how these changed."""
    values = event.record.attributes.values()
    return bool(values) and all(isinstance(value, int | float) for value in values)


def severity_of(attributes: Mapping[str, Any]) -> int:
    """Return the level of a log record as a number, 0 for anything else."""
    level = attributes.get(log_attributes.LEVEL, 0)
    return level if isinstance(level, int) else 0


def _said(attributes: dict[str, Any]) -> str:
    message = attributes.pop(log_attributes.MESSAGE, "")
    severity = attributes.pop(log_attributes.SEVERITY, "")
    logger = attributes.pop(log_attributes.LOGGER, "")
    return f"{severity} {logger}: {message}" if message or logger else ""


def _raised(attributes: dict[str, Any]) -> str:
    kind = str(attributes.pop(exception_attributes.TYPE, ""))
    message = attributes.pop(exception_attributes.MESSAGE, "")
    return f"{kind}: {message}".rstrip(": ") if kind else ""


def _ended(attributes: dict[str, Any]) -> str:
    ended = attributes.pop(exception_attributes.ENDED, "")
    where = attributes.pop(exception_attributes.WHERE, "")
    return f"ended {ended} {where}".rstrip() if ended else ""


def _caught(attributes: dict[str, Any]) -> str:
    was_caught = attributes.pop(exception_attributes.CAUGHT, None)
    where = str(attributes.pop(exception_attributes.CAUGHT_IN, ""))
    times = attributes.pop(exception_attributes.TIMES, 1)
    words = "not caught" if was_caught is False else ""
    if function_and_file := _IN_FILE.fullmatch(where):
        words = f"caught in {function_and_file[1]} {function_and_file[2]}"
    return f"{words}, {times} times" if times != 1 and words else words


def _place(event: WindowEvent, attributes: dict[str, Any]) -> str:
    function, file, line = (attributes.pop(key, "") for key in _PLACE)
    if not file and event.frames:
        innermost = event.frames[-1]
        function, file, line = innermost.function, innermost.file, innermost.line
    if not file:
        return str(function)
    return f"{function} {file_name(str(file))}:{line}".strip()


def _short(key: str) -> str:
    for prefix in _PREFIXES:
        key = key.removeprefix(prefix)
    for suffix in _SUFFIXES:
        key = key.removesuffix(suffix)
    return key.replace(".", " ").replace("_", " ")


def _value(key: str, value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if key.endswith("_ns"):
            return short_duration(value)
        if key.endswith(_IN_SECONDS):
            return short_duration(value * 1e9)
        if key.endswith(_IN_PARTS):
            return f"{value:.0%}"
        if _IN_BYTES in f"{key}.":
            return size(int(value))
    return one_line(str(value), _LONGEST_VALUE)
