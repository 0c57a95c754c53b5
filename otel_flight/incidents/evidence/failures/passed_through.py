"""The application's function that an exception of a library's span passed through on its way up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.failures.logged import error_logged_in, frames_of
from otel_flight.incidents.evidence.failures.raised import (
    Raised,
    application_frame,
    frames_in,
    raised,
    tracebacks_of,
)
from otel_flight.incidents.evidence.places import described
from otel_flight.incidents.window import WindowSpan
from otel_flight.names import exception_attributes as names
from otel_flight.records.records import Frame
from otel_flight.words import quoted

_LONGEST_PLACE: Final = 200


def words_of_passed(evidence: Evidence, origin: WindowSpan, above: Sequence[WindowSpan]) -> str:
    """Return where the application called what failed, to go on a sentence with; may be empty.

    The failed spans above have the frames further out, or what was logged of the outermost: of the
    very exception, or of one raised from it.
    """
    exception = raised(origin)
    if exception is None:
        return ""
    frame = next(filter(None, _frames(evidence, exception, above)), None)
    return "" if frame is None else f", called in {quoted(described(frame), _LONGEST_PLACE)}"


def _frames(
    evidence: Evidence, exception: Raised, above: Sequence[WindowSpan]
) -> Iterator[Frame | None]:
    for span in above:
        outer = raised(span)
        if outer is not None and exception.message in outer.stacktrace:
            yield from (application_frame(frames_in(each)) for each in tracebacks_of(outer))
    logged = error_logged_in(evidence, above[-1]) if above else None
    if logged is not None and _is_of(exception, logged.record.attributes):
        yield application_frame(frames_of(logged))


def _is_of(exception: Raised, said: Mapping[str, Any]) -> bool:
    """Tell whether an exception that was logged is another one, or was raised from that."""
    chain = said.get(names.CHAIN, ())
    links = chain if isinstance(chain, (list, tuple)) else (chain,)
    own = f"{said.get(names.TYPE, '')}: {said.get(names.MESSAGE, '')}"
    begin = f"{exception.short_type}: {exception.message}".strip(": ")
    return any(begin in str(each) for each in (own, *links))
