"""An exception that was caught and led to another failure: `except: return None`, say.

Only where exceptions that are raised within requests are recorded, which is off by default.
"""

from __future__ import annotations

from typing import Any, Final

from otel_flight.incidents.findings.base import (
    STATUS_ERROR,
    EvidenceView,
    one_line,
    quoted,
    short_duration,
)
from otel_flight.incidents.findings.raised import raised
from otel_flight.incidents.manifest import Finding
from otel_flight.incidents.window import WindowEvent, WindowSpan
from otel_flight.recording import exception_attributes as names
from otel_flight.recording.application_code import is_application, short_file

_FEWEST_GOOD: Final = 5
"""Requests of the same name that went well, to know that they do without the exception."""
_LONGEST_MESSAGE: Final = 200

Place = tuple[str, str, int]


def find_swallowed_exception(view: EvidenceView) -> Finding | None:
    """Name the last exception that was caught before the trigger failed, and who caught it.

    Silent where the same exception comes up in requests that go well, where too few of those are
    known, and about what the failure itself tells of: an exception it was raised from.
    """
    if view.trigger is None or view.trigger.record.status_code != STATUS_ERROR:
        return None
    root = view.local_root(view.trigger)
    if _good_requests(view, root) < _FEWEST_GOOD:
        return None
    own = root.record.trace_id
    events = [e for e in view.events(names.SOURCE) if e.record.name == names.RAISED]
    usual = {_place(event) for event in events if event.record.trace_id != own}
    told = raised(view.trigger)
    caught = [
        event
        for event in events
        if event.record.trace_id == own
        and event.record.attributes.get(names.CAUGHT) is True
        and event.record.start_ns <= view.trigger.record.end_ns
        and is_application(str(event.record.attributes.get("code.file.path", "")))
        and _place(event) not in usual
        and not (told is not None and _kind(event) in told.stacktrace)
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
    if caught_in := str(said.get(names.CAUGHT_IN, "")):
        summary += f"; it was caught in {quoted(_shortened(caught_in), 160)}"
    return Finding(
        rule="swallowed_exception",
        summary=f"{summary}. No request that went well has it",
        evidence={
            names.TYPE: _kind(event),
            names.MESSAGE: str(said.get(names.MESSAGE, "")),
            "code.location": where,
            **({names.CAUGHT_IN: caught_in} if caught_in else {}),
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


def _shortened(caught_in: str) -> str:
    """Return `function (file:line)` with the file as it stands in a sentence."""
    function, _, rest = caught_in.rpartition(" (")
    file, _, line = rest.rstrip(")").rpartition(":")
    return f"{function} ({short_file(file)}:{line})" if function else caught_in
