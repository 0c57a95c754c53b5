"""What a slow span's time consists of: parts that add up to it, the one that is unknown included.

Of what goes on at the same time, the first of these counts: a pause, a client's sleep between two
attempts, a call to another service, what the stack samples saw, another span below. What a sample
stands for ends halfway to the next.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, Final, NamedTuple, TypeVar

from otel_flight.ground.intervals import Interval, Timed, union, without
from otel_flight.incidents.evidence.durations.pauses import find_pauses
from otel_flight.incidents.evidence.durations.samples import MOST_SAMPLES, Sample, samples_of
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.places import application_frames
from otel_flight.incidents.window import KIND_CLIENT, WindowSpan
from otel_flight.interpreter.code.origin import is_application, is_standard
from otel_flight.names import attributes as names
from otel_flight.names import process_attributes as vitals
from otel_flight.names.wait_kinds import SLEEP
from otel_flight.records.records import Frame

_T = TypeVar("_T")

_LEAST_OF_NODE: Final = 0.6
"""A function is where the time went if it accounts for this part of its caller's time."""


class Doing(Enum):
    """What a part of a span's time was spent on."""

    RUNNING = "running"
    """It ran Python, or was in a native call of which no wait is known."""
    WAITING = "waiting"
    QUEUED = "without a CPU"
    """Its thread was ready to run, and something else had the CPU."""
    GIL = "waiting for the GIL"
    """Its thread ran Python, or was about to, and other threads of the process did so meanwhile."""
    PAUSED = "stopped"
    """The process, its Python, or the event loop went on with something else."""
    ELSEWHERE = "in calls to others"
    BELOW = "in spans below"
    UNKNOWN = "unknown"


_Key = tuple[Doing, str, str]


class Part(NamedTuple):
    """A part of a span's time.

    Attributes:
        doing: what it was spent on.
        subject: what was waited for, the name of a pause or of spans, empty for the rest.
        object: of a wait, what exactly it was for, as far as that is known.
        duration_ns: how much of the time it is.
        samples: the stack samples that say so; none where spans or pauses do.
    """

    doing: Doing
    subject: str
    object: str
    duration_ns: int
    samples: Sequence[Sample] = ()

    @property
    def assumed_ns(self) -> int:
        """How much of it nobody saw: samples that show the same stand at both ends of it."""
        return sum(sample.assumed_ns for sample in self.samples)

    @property
    def path(self) -> Sequence[Frame]:
        """The application's functions in which most of it was spent, the innermost one last."""
        return _hot_path(self.samples)

    @property
    def call(self) -> str:
        """The native call that most of the samples show; empty: there is no such call."""
        calls = Counter(str(_attributes(each).get(names.CALL, "")) for each in self.samples)
        call, count = calls.most_common(1)[0] if calls else ("", 0)
        return call if count >= _LEAST_OF_NODE * len(self.samples) else ""


def time_parts(evidence: Evidence, span: WindowSpan) -> list[Part]:
    """Return the parts of a span's time, the longest first, those of no length left out.

    The span is one of the trigger's trace. Takes time in proportion to its samples and the spans
    below it.
    """
    found: Counter[_Key] = Counter()
    samples: defaultdict[_Key, list[Sample]] = defaultdict(list)
    taken: list[Interval] = []

    def take(items: Iterable[tuple[_Key, Timed]]) -> None:
        """Count what no item before has taken."""
        new = list(_first_come(items, span, taken))
        for key, part in new:
            found[key] += part.duration_ns
        taken[:] = union([*taken, *(part for _, part in new)], span)

    take(((Doing.PAUSED, each.event.name, ""), each) for each in find_pauses(evidence))
    below = list(evidence.trace.descendants(span))
    calls = [each for each in below if each.record.kind == KIND_CLIENT]
    seen = samples_of(evidence, evidence.trace.local_root(span))[:MOST_SAMPLES]
    asleep = list(union([each for each in seen if _is_between_attempts(each)], span))
    take(
        ((Doing.ELSEWHERE, each.name, ""), part)
        for each in calls
        for part in without(Interval(each.start_ns, each.end_ns), asleep)
    )
    for sample in seen:
        duration_ns = sum(
            part.duration_ns for _, part in _first_come([(None, sample)], span, taken)
        )
        for doing, attribute in ((Doing.QUEUED, vitals.RUN_QUEUE), (Doing.GIL, vitals.GIL_WAIT)):
            taken_ns = min(duration_ns, int(_attributes(sample).get(attribute, 0)))
            found[doing, "", ""] += taken_ns
            duration_ns -= taken_ns
        found[_doing(sample)] += duration_ns
        samples[_doing(sample)].append(sample)
    taken[:] = union([*taken, *seen], span)
    take(((Doing.BELOW, each.name, ""), each) for each in below)
    take([((Doing.UNKNOWN, "", ""), span)])
    return [
        Part(*key, duration_ns, samples.get(key, ()))
        for key, duration_ns in found.most_common()
        if duration_ns > 0
    ]


def _first_come(
    items: Iterable[tuple[_T, Timed]], within: Timed, taken: Sequence[Interval]
) -> Iterator[tuple[_T, Interval]]:
    """Yield what of a time each item is the first to cover, and nothing that was taken before."""
    reached_ns = within.start_ns
    for key, item in sorted(items, key=lambda each: each[1].start_ns):
        part = Interval(max(item.start_ns, reached_ns), min(item.end_ns, within.end_ns))
        if part.duration_ns > 0:
            yield from ((key, left) for left in without(part, taken))
            reached_ns = part.end_ns


def _doing(sample: Sample) -> tuple[Doing, str, str]:
    if sample.wait_kind:
        return Doing.WAITING, sample.wait_kind, sample.wait_on
    return Doing.RUNNING, "", ""


def _is_between_attempts(sample: Sample) -> bool:
    """Return whether a library sleeps: within a call that it makes, it asks nobody meanwhile."""
    packaged = (frame.file for frame in reversed(sample.frames) if not is_standard(frame.file))
    return sample.wait_kind == SLEEP and not is_application(next(packaged, ""))


def _attributes(sample: Sample) -> Mapping[str, Any]:
    return sample.event.record.attributes


def _hot_path(samples: Sequence[Sample]) -> list[Frame]:
    """Follow the functions that most samples share, from the outermost one on."""
    paths = [application_frames(sample.frames) for sample in samples]
    found: list[Frame] = []
    while paths:
        depth = len(found)
        counts = Counter(
            (path[depth].function, path[depth].file) for path in paths if len(path) > depth
        )
        if not counts:
            break
        key, count = counts.most_common(1)[0]
        if count < _LEAST_OF_NODE * len(paths):
            break
        paths = [
            path
            for path in paths
            if len(path) > depth and (path[depth].function, path[depth].file) == key
        ]
        lines = Counter(path[depth].line for path in paths)
        found.append(Frame(*key, lines.most_common(1)[0][0]))
    return found
