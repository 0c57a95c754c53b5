"""The stack samples of one request, each standing for the time around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

from otel_flight.incidents.evidence.view import EvidenceView
from otel_flight.incidents.window import WindowEvent, WindowSpan
from otel_flight.interpreter.code_origin import is_application, is_standard, short_file
from otel_flight.names import attributes as names
from otel_flight.records.records import Frame

SOURCE: Final = "stacks"
_SHORTEST_GAP_NS: Final = 20_000_000
_GAP_TIMES: Final = 1.5
"""A gap of so many usual ones is no more covered by the samples at its ends."""


@dataclass(frozen=True)
class Sample:
    """What a request was seen doing.

    Attributes:
        event: as it was recorded.
        frames: outermost first.
        start_ns: halfway to the sample before.
        end_ns: halfway to the next one.
    """

    event: WindowEvent
    frames: Sequence[Frame]
    start_ns: int
    end_ns: int

    @property
    def duration_ns(self) -> int:
        """How much time it stands for."""
        return self.end_ns - self.start_ns

    @property
    def wait_kind(self) -> str:
        """What was waited for, in a word; empty: nothing, as far as is known."""
        return str(self.event.record.attributes.get(names.WAIT_KIND, ""))

    @property
    def wait_on(self) -> str:
        """What exactly was waited for."""
        return str(self.event.record.attributes.get(names.WAIT_ON, ""))


def samples_of(view: EvidenceView, root: WindowSpan) -> list[Sample]:
    """Return the samples of a local root, by time."""
    record = root.record
    events = [
        event
        for event in view.events_between(SOURCE, record.start_ns, record.end_ns)
        if event.record.span_id == record.span_id
        and event.record.trace_id == record.trace_id
        and event.stack is not None
    ]
    moments = [event.record.start_ns for event in events]
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    usual = max(_SHORTEST_GAP_NS, int(median(gaps))) if gaps else 2 * _SHORTEST_GAP_NS
    ends = [_reach(gap, usual) for gap in gaps]
    starts = [gap - end if end * 2 + 1 >= gap else end for gap, end in zip(gaps, ends, strict=True)]
    return [
        Sample(
            event,
            event.stack.frames if event.stack is not None else (),
            max(record.start_ns, moment - before),
            min(record.end_ns, moment + after),
        )
        for event, moment, before, after in zip(
            events, moments, [usual // 2, *starts], [*ends, usual // 2], strict=False
        )
    ]


def _reach(gap_ns: int, usual_ns: int) -> int:
    """Return how far a sample reaches into the gap behind it."""
    return gap_ns // 2 if gap_ns <= usual_ns * _GAP_TIMES else usual_ns // 2


def application_frames(frames: Sequence[Frame]) -> list[Frame]:
    """Return the application's own frames; if there are none, a package's innermost."""
    own = [frame for frame in frames if is_application(frame.file)]
    return own or [frame for frame in frames if not is_standard(frame.file)][-1:]


def place_of(frames: Sequence[Frame]) -> str:
    """Return the application's innermost function as it stands in a sentence."""
    found = application_frames(frames) or list(frames)
    return described(found[-1]) if found else ""


def described(frame: Frame) -> str:
    """Return a frame as it stands in a sentence: `crunch (shop/app.py:12)`."""
    return f"{frame.function} ({short_file(frame.file)}:{frame.line})"
