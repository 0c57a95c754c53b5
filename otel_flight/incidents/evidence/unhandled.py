"""An exception that nobody handled, as findings tell it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from otel_flight.incidents.evidence.samples import place_of
from otel_flight.incidents.evidence.view import EvidenceView, one_line, quoted
from otel_flight.incidents.window import WindowEvent
from otel_flight.interpreter.code_origin import short_file
from otel_flight.names import event_names, source_names
from otel_flight.names import exception_attributes as names
from otel_flight.records.records import Frame

TRIGGER: Final = "unhandled_exception"
_LONGEST_MESSAGE: Final = 200
_LINK: Final = re.compile(r"(?s)(.*) in (\S+) \((.*):(\d+)\)")


def unhandled_events(view: EvidenceView, ended: str) -> list[WindowEvent]:
    """Return the exceptions of the window that ended something of a kind, by time."""
    return [
        event
        for event in view.events(source_names.EXCEPTIONS)
        if event.record.name == event_names.UNHANDLED_EXCEPTION
        and event.record.attributes.get(names.ENDED) == ended
    ]


def fired_ns(view: EvidenceView) -> int:
    """Return when the trigger fired."""
    cause = view.incident.manifest.trigger
    return (cause.time_ns if cause is not None else 0) or view.incident.manifest.opened_ns


def exception_words(attributes: Mapping[str, Any], frames: Sequence[Frame]) -> str:
    """Return what was raised, where, and what that came from, to go on a sentence with."""
    kind = str(attributes.get(names.TYPE, "")).rpartition(".")[2] or "an exception"
    message = str(attributes.get(names.MESSAGE, ""))
    words = one_line(f"{kind}: {message}".strip(": "), _LONGEST_MESSAGE)
    if place := _place(attributes, frames):
        words += f" in {quoted(place, 160)}"
    chain = attributes.get(names.CHAIN)
    if isinstance(chain, list) and chain:
        words += f", which began with {_first(str(chain[0]))}"
    return words


def exception_evidence(attributes: Mapping[str, Any], frames: Sequence[Frame]) -> dict[str, Any]:
    """Return what shows it."""
    said = {
        key: attributes[key]
        for key in (names.TYPE, names.MESSAGE, names.WHERE)
        if key in attributes
    }
    place = _place(attributes, frames)
    return {**said, **({"code.location": place} if place else {})}


def _place(attributes: Mapping[str, Any], frames: Sequence[Frame]) -> str:
    """Return the application's function: what it called failed in its hands."""
    if frames:
        return place_of([frame for frame in frames if frame.file])
    function, file = attributes.get("code.function.name"), attributes.get("code.file.path")
    line = attributes.get("code.line.number")
    return f"{function} ({short_file(str(file))}:{line})" if file else ""


def _first(link: str) -> str:
    """Return the beginning of a chain: `Type: message in function (file:line)`."""
    found = _LINK.fullmatch(link)
    if found is None:
        return one_line(link, _LONGEST_MESSAGE)
    words, function, file, line = found.groups()
    kind, _, message = words.partition(": ")
    said = one_line(f"{kind.rpartition('.')[2]}: {message}".strip(": "), _LONGEST_MESSAGE)
    return f"{said} in {quoted(f'{function} ({short_file(file)}:{line})', 160)}"
