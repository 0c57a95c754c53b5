"""The stack samples of a window, with the time that each stands for, by what they are of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from otel_flight.assembly import ASSEMBLY
from otel_flight.incidents.evidence.durations.samples import Sample, spread
from otel_flight.incidents.evidence.evidence import LocalRoot
from otel_flight.incidents.gil_yields import YieldGil, keep_gil
from otel_flight.incidents.incident import Incident
from otel_flight.incidents.window import WindowEvent
from otel_flight.names import source_names
from otel_flight.records.records import Frame

_EVER_NS: Final = 1 << 63
"""A sample of no known request may stand for any time before this one, in nanoseconds."""


@dataclass(frozen=True)
class SampledStacks:
    """The samples of one request, or those of a thread that are of no request.

    Attributes:
        root: the request; None: samples of a thread, or of a request that is not in the window.
        thread_id: on which the first of them ran or waited; 0: not known.
        samples: by time.
    """

    root: LocalRoot | None
    thread_id: int
    samples: Sequence[Sample]

    @property
    def name(self) -> str:
        """The request's name, or which thread it is."""
        return self.root.name if self.root is not None else f"thread {self.thread_id}"


def sampled_stacks(
    incident: Incident, *, first_record: int = 0, yield_gil: YieldGil = keep_gil
) -> list[SampledStacks]:
    """Return the stack samples of one window: of the trigger's request first, then by time.

    Args:
        incident: whose window it is.
        first_record: samples before this record are left out.
        yield_gil: called every few dozen records.
    """
    evidence = ASSEMBLY.rulebook.evidence(incident, yield_gil)
    roots = {(root.trace_id, root.span_id): root for root in evidence.roots}
    together: defaultdict[tuple[int, int, int], list[WindowEvent]] = defaultdict(list)
    for event in evidence.events(source_names.STACKS):
        record = event.record
        if event.stack is not None and event.number >= first_record:
            thread_id = 0 if record.span_id else record.thread_id
            together[record.trace_id, record.span_id, thread_id].append(event)
    found = []
    for (trace_id, span_id, _), events in together.items():
        root = roots.get((trace_id, span_id))
        start_ns, end_ns = (root.start_ns, root.end_ns) if root is not None else (0, _EVER_NS)
        samples = [each for each in spread(events, start_ns, end_ns) if each.duration_ns > 0]
        if samples:
            found.append(SampledStacks(root, events[0].record.thread_id, samples))
    cause = evidence.cause
    trigger = cause.trace if cause is not None else 0
    return sorted(
        found,
        key=lambda each: (
            each.root is None or each.root.trace_id != trigger,
            each.samples[0].start_ns,
        ),
    )


def frames_of(sample: Sample) -> Iterator[Frame]:
    """Yield the stack, outermost frame first; what is waited for is the innermost one."""
    yield from sample.frames
    if sample.wait_kind:
        yield Frame(f"waiting: {sample.wait_kind} {sample.wait_on}".rstrip(), "", 0)
