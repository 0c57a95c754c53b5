"""An exception that nobody handled, in the words of findings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.failures.raised import LONGEST_MESSAGE, exception_words
from otel_flight.incidents.evidence.places import described, location, place_in, place_of
from otel_flight.incidents.window import WindowEvent
from otel_flight.interpreter.code.places import enclosing_function
from otel_flight.names import event_names, source_names
from otel_flight.names import exception_attributes as names
from otel_flight.records.records import Frame
from otel_flight.words import one_line, quoted

LONGEST_PLACE: Final = 160
"""A place is cut to this many characters in a sentence about an exception."""
_LINK: Final = re.compile(r"(?s)(.*) in (\S+) \((.*):(\d+)\)")


def unhandled_events(evidence: Evidence, ended: str) -> list[WindowEvent]:
    """Return the exceptions of the window that ended something of a kind, by time."""
    return [
        event
        for event in evidence.events(source_names.EXCEPTIONS)
        if event.name == event_names.UNHANDLED_EXCEPTION
        and event.record.attributes.get(names.ENDED) == ended
    ]


def unhandled_words(attributes: Mapping[str, Any], frames: Sequence[Frame]) -> str:
    """Return what was raised, where, and what that came from, to go on a sentence with."""
    kind = str(attributes.get(names.TYPE, "")) or "an exception"
    words = exception_words(kind, str(attributes.get(names.MESSAGE, "")))
    if place := _place(attributes, frames):
        words += f" in {quoted(place, LONGEST_PLACE)}"
    chain = attributes.get(names.CHAIN)
    if isinstance(chain, list) and chain:
        words += f", which began with {_first(str(chain[0]))}"
    return words


def unhandled_evidence(attributes: Mapping[str, Any], frames: Sequence[Frame]) -> dict[str, Any]:
    """Return what shows it."""
    kept = (names.TYPE, names.MESSAGE, names.WHERE)
    known = {key: attributes[key] for key in kept if key in attributes}
    return {**known, **location(_place(attributes, frames))}


def _place(attributes: Mapping[str, Any], frames: Sequence[Frame]) -> str:
    """Return the application's function: what it called failed in its hands."""
    if frames:
        return place_of([frame for frame in frames if frame.file])
    return place_in(attributes)


def _first(link: str) -> str:
    """Return the beginning of a chain: `Type: message in function (file:line)`."""
    found = _LINK.fullmatch(link)
    if found is None:
        return one_line(link, LONGEST_MESSAGE)
    words, function, file, line = found.groups()
    kind, _, message = words.partition(": ")
    place = described(Frame(enclosing_function(function), file, int(line)))
    return f"{exception_words(kind, message)} in {quoted(place, LONGEST_PLACE)}"
