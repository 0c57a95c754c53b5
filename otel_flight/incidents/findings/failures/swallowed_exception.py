"""An exception that was caught and led to another failure: `except: return None`, say.

Only where exceptions that are raised within requests are recorded, which is off by default.
"""

from __future__ import annotations

import re
from typing import Any, Final

from otel_flight.incidents.evidence.raised import raised
from otel_flight.incidents.evidence.view import (
    STATUS_ERROR,
    EvidenceView,
    one_line,
    quoted,
    short_duration,
)
from otel_flight.incidents.manifest import Finding
from otel_flight.incidents.window import WindowEvent, WindowSpan
from otel_flight.interpreter.code_origin import is_application, short_file
from otel_flight.names import event_names, source_names
from otel_flight.names import exception_attributes as names

_FEWEST_GOOD: Final = 5
"""Requests of the same name that went well, to know that they do without the exception."""
_LONGEST_MESSAGE: Final = 200

_PLACE: Final = re.compile(r"(?s)(.*) \((.*):(\d+)\)")

Place = tuple[str, str, int]
"""Function, file and line."""


def find_swallowed_exception(view: EvidenceView) -> Finding | None:
    """Name the last exception that was caught before the trigger failed, and who caught it.

    Silent where the same exception comes up in requests that go well, where too few of those are
    known, about what a library caught (often to raise it again in another thread), and about what a
    span of the trace tells of: an exception that failed it, or that such a one was raised from.
    """
    if view.trigger is None or view.trigger.record.status_code != STATUS_ERROR:
        return None
    root = view.local_root(view.trigger)
    if _good_requests(view, root) < _FEWEST_GOOD:
        return None
    own = root.record.trace_id
    events = [
        e
        for e in view.events(source_names.EXCEPTIONS)
        if e.record.name == event_names.RAISED_EXCEPTION
    ]
    usual = {_place(event) for event in events if event.record.trace_id != own}
    told = "".join(found.stacktrace for found in map(raised, view.trace) if found is not None)
    caught = [
        event
        for event in events
        if event.record.trace_id == own
        and event.record.start_ns <= view.trigger.record.end_ns
        and is_application(_place(event)[1])
        and is_application(_caught_in(event)[1])
        and _place(event) not in usual
        and _kind(event) not in told
    ]
    return _finding(view.trigger, caught[-1]) if caught else None


def _finding(trigger: WindowSpan, event: WindowEvent) -> Finding:
    said = event.record.attributes
    kind = _kind(event).rpartition(".")[2]
    words = one_line(f"{kind}: {said.get(names.MESSAGE, '')}".strip(": "), _LONGEST_MESSAGE)
    function, file, line = _place(event)
    where = f"{function} ({short_file(file)}:{line})"
    before = short_duration(trigger.record.end_ns - event.record.start_ns)
    summary = f"{quoted(where, 160)} raised {words}, {before} before {quoted(trigger.record.name)}"
    summary += " failed"
    function, file, line = _caught_in(event)
    caught_in = f"{function} ({short_file(file)}:{line})"
    summary += f"; it was caught in {quoted(caught_in, 160)}"
    return Finding(
        rule="swallowed_exception",
        summary=f"{summary}. No request that went well has it",
        evidence={
            names.TYPE: _kind(event),
            names.MESSAGE: str(said.get(names.MESSAGE, "")),
            "code.location": where,
            names.CAUGHT_IN: caught_in,
        },
    )


def _good_requests(view: EvidenceView, root: WindowSpan) -> int:
    return sum(
        each.name == root.record.name and not each.is_error and not each.is_open
        for each in view.roots
        if each.trace_id != root.record.trace_id
    )


def _kind(event: WindowEvent) -> str:
    return str(event.record.attributes.get(names.TYPE, ""))


def _place(event: WindowEvent) -> Place:
    said: dict[str, Any] = event.record.attributes
    line = said.get("code.line.number", 0)
    return (
        str(said.get("code.function.name", "")),
        str(said.get("code.file.path", "")),
        line if isinstance(line, int) else 0,
    )


def _caught_in(event: WindowEvent) -> Place:
    """Return where it was caught; without a file when it was not."""
    found = _PLACE.fullmatch(str(event.record.attributes.get(names.CAUGHT_IN, "")))
    return (found[1], found[2], int(found[3])) if found is not None else ("", "", 0)
