"""The same call made again because it had failed, as far as spans distinguish it from a loop."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.window import WindowSpan

_OF_ONE_ATTEMPT: Final = (
    "http.response.",
    "http.status_code",
    "rpc.grpc.status_code",
    "db.response.",
    "error.",
    "exception.",
    "network.",
    "net.sock.",
    "thread.",
)
"""An attribute whose name begins with one of these is about one attempt: its end, its connection.
Two attempts at one call may differ in it."""
_OF_A_COUNT: Final = ("attempt", "resend", "retries", "retry")
"""An attribute with one of these in its name counts attempts."""


class Attempts(NamedTuple):
    """Equal calls under one parent, one after the other, each after one that failed."""

    parent: WindowSpan
    spans: Sequence[WindowSpan]
    """The calls by start; all but the last failed."""

    @property
    def last_failed(self) -> bool:
        """Whether the last one failed as well."""
        return has_failed(self.spans[-1])


def attempts_below(evidence: Evidence, top: WindowSpan) -> Iterator[Attempts]:
    """Yield the calls below a span that were made at least twice because they had failed.

    Calls in a loop over different things have different attributes; where those are not recorded,
    a loop goes on after a success, and one who tries again does not.
    """
    for parent in (top, *evidence.trace.descendants(top)):
        groups: defaultdict[object, list[WindowSpan]] = defaultdict(list)
        for child in evidence.trace.children(parent):
            groups[_what(child)].append(child)
        for spans in groups.values():
            if _are_attempts(spans):
                yield Attempts(parent, spans)


def has_failed(span: WindowSpan) -> bool:
    """Return whether a span ended with an error."""
    return span.is_error and not span.is_open


def _are_attempts(spans: Sequence[WindowSpan]) -> bool:
    return (
        len(spans) > 1
        and all(map(has_failed, spans[:-1]))
        and all(b.start_ns >= a.end_ns for a, b in pairwise(spans))
    )


def _what(span: WindowSpan) -> tuple[object, ...]:
    """Return what is the same for all attempts at one call."""
    record = span.record
    attributes: dict[str, Any] = record.attributes
    lasting = sorted((key, str(value)) for key, value in attributes.items() if _is_lasting(key))
    return record.name, record.kind, *lasting


def _is_lasting(key: str) -> bool:
    return not key.startswith(_OF_ONE_ATTEMPT) and not any(each in key for each in _OF_A_COUNT)
