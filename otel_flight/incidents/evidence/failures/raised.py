"""The exception that a span recorded, and the one that began it all: wrapped ones have a chain."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from otel_flight.incidents.evidence.places import named_frame
from otel_flight.incidents.window import WindowSpan
from otel_flight.interpreter.code.origin import file_name, is_application
from otel_flight.names import exception_attributes, span_attributes
from otel_flight.records.records import Frame
from otel_flight.words import one_line

LONGEST_MESSAGE: Final = 200
"""An exception is cut to this many characters in a sentence or in evidence."""
_LONGEST_PLACE: Final = 120
_CODES: Final = (*span_attributes.HTTP_STATUS_CODES, span_attributes.GRPC_STATUS_CODE)
_RAISED_FROM: Final = (
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
)
"""`traceback` writes one of these between an exception and the one that it led to."""
_BETWEEN: Final = re.compile(rf"\n\n(?:{'|'.join(map(re.escape, _RAISED_FROM))})\n\n")
_FRAME: Final = re.compile(r'^ *File "([^"\n]*)", line (\d+)(?:, in ([^\n]*))?$', re.MULTILINE)
_DEEPER: Final = "    "
"""The lines that quote the code of a frame begin with this."""


class Raised(NamedTuple):
    """An exception that a span recorded."""

    type: str
    message: str
    stacktrace: str

    @property
    def short_type(self) -> str:
        """Its class without the module."""
        return self.type.rpartition(".")[2]

    @property
    def words(self) -> str:
        """`Type: message`, the module left out: it stands in the evidence."""
        return exception_words(self.type, self.message)


class FirstRaised(NamedTuple):
    """The exception at the beginning of a chain of wrapped ones, as its traceback shows it."""

    words: str
    """`Type: message`; empty when it is the recorded exception itself."""
    place: str
    """`file.py:line in function`: the application's innermost frame that led to it, else its
    innermost frame; empty when there is none."""
    is_own: bool = False
    """Whether that frame is the application's."""


def exception_words(kind: str, message: str) -> str:
    """Return an exception as `Type: message` in one line, its module left out."""
    return one_line(f"{kind.rpartition('.')[2]}: {message}".strip(": "), LONGEST_MESSAGE)


def raised(span: WindowSpan) -> Raised | None:
    """Return the exception that a span recorded last, None when it recorded none."""
    for event in reversed(span.record.events):
        if event.name == span_attributes.EXCEPTION_EVENT:
            attributes = event.attributes
            return Raised(
                str(attributes.get(exception_attributes.TYPE, "")),
                str(attributes.get(exception_attributes.MESSAGE, "")),
                str(attributes.get(exception_attributes.STACKTRACE, "")),
            )
    return None


def first_raised(exception: Raised) -> FirstRaised:
    """Return the exception that led to this one, or this one's place when none did."""
    tracebacks = tracebacks_of(exception)
    frames = [frames_in(each) for each in tracebacks]
    if not frames[0]:
        return FirstRaised("", "")
    own = next(filter(None, map(application_frame, frames)), None)
    frame = own or frames[0][-1]
    place = f"{file_name(frame.file)}:{frame.line}"
    place += f" in {frame.function}" if frame.function else ""
    words = _words_at_end(tracebacks[0]) if len(tracebacks) > 1 else ""
    return FirstRaised(words, one_line(place, _LONGEST_PLACE), own is not None)


def _words_at_end(traceback: str) -> str:
    """Return the exception of a traceback, which stands behind its last frame."""
    rest = _FRAME.split(traceback)[-1]
    said = [each for each in rest.splitlines() if each and not each.startswith(_DEEPER)]
    kind, _, message = said[0].partition(": ") if said else ("", "", "")
    return exception_words(kind, message)


def frames_in(traceback: str) -> list[Frame]:
    """Return the places of a traceback, outermost first."""
    return [Frame(function, file, int(line)) for file, line, function in _FRAME.findall(traceback)]


def application_frame(frames: Sequence[Frame]) -> Frame | None:
    """Return the innermost place that is the application's own, None when none is."""
    own = [each for each in frames if is_application(each.file)]
    return named_frame(own, len(own) - 1) if own else None


def tracebacks_of(exception: Raised) -> list[str]:
    """Return an exception's traceback in parts, one for each of its chain, the first one first."""
    return _BETWEEN.split(exception.stacktrace)


def failure_words(span: WindowSpan) -> str:
    """Return what is known of a span's failure, in a few words; empty when nothing is."""
    exception = raised(span)
    if exception is not None and exception.words:
        return exception.words
    if span.record.status_description:
        return one_line(span.record.status_description, LONGEST_MESSAGE)
    attributes = span.record.attributes
    code = next((attributes[key] for key in _CODES if key in attributes), None)
    if code is not None:
        return f"status code {code}"
    return one_line(str(attributes.get(span_attributes.ERROR_TYPE, "")), LONGEST_MESSAGE)
