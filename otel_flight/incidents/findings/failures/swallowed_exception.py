"""An exception that was caught and led to another failure: `except: return None`, say.

Only where exceptions that are raised within requests are recorded, which is off by default.
"""

from __future__ import annotations

import re
from typing import Final

from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.failures.raised import exception_words, raised
from otel_flight.incidents.evidence.failures.unhandled import LONGEST_PLACE
from otel_flight.incidents.evidence.places import described, frame_in, location
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from otel_flight.incidents.window import WindowEvent, WindowSpan
from otel_flight.interpreter.code.origin import is_application
from otel_flight.interpreter.code.places import enclosing_function
from otel_flight.names import event_names, source_names
from otel_flight.names import exception_attributes as names
from otel_flight.records.records import Frame
from otel_flight.words import quoted, short_duration

_FEWEST_GOOD: Final = 5
"""With fewer requests of the same name that went well, it is not known whether those have the
exception, too."""
_PLACE: Final = re.compile(r"(?s)(.*) \((.*):(\d+)\)")


def find_swallowed_exception(evidence: Evidence) -> Finding | None:
    """Name the last exception that was caught before the trigger failed, and who caught it.

    Silent where the same exception comes up in requests that go well, where too few of those are
    known, about what a library caught (often to raise it again in another thread), and about what a
    span of the trace recorded: an exception that failed it, or that such a one was raised from.
    """
    trigger = evidence.trigger
    if trigger is None or not trigger.is_error:
        return None
    root = evidence.trace.local_root(trigger)
    if _good_requests(evidence, root) < _FEWEST_GOOD:
        return None
    own = root.record.trace_id
    events = [
        event
        for event in evidence.events(source_names.EXCEPTIONS)
        if event.name == event_names.RAISED_EXCEPTION
    ]
    usual = {_raised_in(event) for event in events if event.record.trace_id != own}
    recorded = [found.stacktrace for found in map(raised, evidence.trace.spans) if found]
    caught = [
        event
        for event in events
        if event.record.trace_id == own
        and event.start_ns <= trigger.end_ns
        and is_application(_raised_in(event).file)
        and is_application(_caught_in(event).file)
        and _raised_in(event) not in usual
        and not any(_type(event) in stacktrace for stacktrace in recorded)
    ]
    return _finding(trigger, caught[-1]) if caught else None


def _finding(trigger: WindowSpan, event: WindowEvent) -> Finding:
    message = str(event.record.attributes.get(names.MESSAGE, ""))
    raised_in, caught_in = described(_raised_in(event)), described(_caught_in(event))
    return Finding(
        rule=RULE.name,
        summary=(
            f"{quoted(raised_in, LONGEST_PLACE)} raised {exception_words(_type(event), message)}, "
            f"{short_duration(trigger.end_ns - event.start_ns)} before {quoted(trigger.name)} "
            f"failed; it was caught in {quoted(caught_in, LONGEST_PLACE)}. No request that went "
            "well has it"
        ),
        evidence={
            names.TYPE: _type(event),
            names.MESSAGE: message,
            **location(raised_in),
            names.CAUGHT_IN: caught_in,
        },
    )


def _good_requests(evidence: Evidence, root: WindowSpan) -> int:
    return sum(
        each.name == root.name and not each.is_error and not each.is_open
        for each in evidence.roots
        if each.trace_id != root.record.trace_id
    )


def _type(event: WindowEvent) -> str:
    return str(event.record.attributes.get(names.TYPE, ""))


def _raised_in(event: WindowEvent) -> Frame:
    return frame_in(event.record.attributes)


def _caught_in(event: WindowEvent) -> Frame:
    """Return where it was caught; without a file when it was not."""
    found = _PLACE.fullmatch(str(event.record.attributes.get(names.CAUGHT_IN, "")))
    return (
        Frame(enclosing_function(found[1]), found[2], int(found[3]))
        if found is not None
        else Frame("", "", 0)
    )


RULE: Final = Rule(
    name="swallowed_exception",
    kind=Kind.FAILURE,
    title="An exception was swallowed before",
    find=find_swallowed_exception,
)
