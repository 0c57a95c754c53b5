"""Which function of a library the application was in, where a part of its time went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from otel_flight.incidents.evidence.durations.time_parts import Part
from otel_flight.incidents.evidence.places import described, named_frame
from otel_flight.interpreter.code.origin import is_application
from otel_flight.records.records import Frame
from otel_flight.words import quoted

_LEAST_OF_SAMPLES: Final = 0.6
"""A call is named that this part of the samples show."""
_LONGEST_PLACE: Final = 200


def words_of_calls(part: Part) -> str:
    """Return what the innermost function had called: to go on with behind it; may be empty.

    That is a function of a library, and the native call that was the end of it.
    """
    called = Counter(filter(None, (_called(sample.frames) for sample in part.samples)))
    place, seen = called.most_common(1)[0] if called else ("", 0)
    words = ""
    if seen >= _LEAST_OF_SAMPLES * len(part.samples):
        words = f", in its call of {quoted(place, _LONGEST_PLACE)}"
    return f"{words}, in the native call {quoted(part.call)}" if part.call else words


def _called(frames: Sequence[Frame]) -> str:
    """Return the first function behind the application's innermost one, empty when it has none."""
    for at in range(len(frames) - 1, -1, -1):
        if is_application(frames[at].file):
            return described(named_frame(frames, at + 1)) if at + 1 < len(frames) else ""
    return ""
