"""Memory that grew until the container was nearly out of it, and what was running while it did."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from otel_flight.names import evidence as keys
from otel_flight.names import exception_attributes, source_names, trigger_names
from otel_flight.names import process_attributes as vitals
from otel_flight.words import quoted, short_duration

_MEMORY_ERROR: Final = "MemoryError"
_FEWEST: Final = 3
"""With fewer measurements before the trigger, little is known of the time before."""
_LEAST_GROWTH: Final = 0.2
"""Where a smaller part of the memory in the end has been added, it was that much all the time."""
_MOST_OF_IT: Final = 0.8
"""A process or a request that accounts for this part of the growth is named alone."""
_OWN_SHARE: Final = 0.5
"""A process that accounts for a smaller part of the growth is not where memory grew."""
_USUAL_SHARE: Final = 0.5
"""Requests that ran for a larger part of the time without growth run always."""
_MIB: Final = 1 << 20
_LEAST_STEP: Final = _MIB
"""From one measurement to the next, memory grew when it is more than this many bytes larger."""


class _Point(NamedTuple):
    time_ns: int
    process: int
    held: int
    limit: int


def find_memory_growth(evidence: Evidence) -> Finding | None:
    """Say how much memory grew in the window, where, and during which requests.

    Silent unless memory is the matter, as long as little is known of the time before, and about
    memory that was as much all the while.
    """
    cause = evidence.cause
    if cause is None:
        return None
    is_pressure = (
        cause.trigger == trigger_names.MEMORY_PRESSURE or vitals.OOM_KILLS in cause.attributes
    )
    if not is_pressure and cause.attributes.get(exception_attributes.TYPE) != _MEMORY_ERROR:
        return None
    points = [point for point in _points(evidence) if point.time_ns <= cause.time_ns]
    if len(points) < _FEWEST:
        return None
    first, last = min(points[:-1], key=_amount), points[-1]
    growth = _amount(last) - _amount(first)
    if growth < _amount(last) * _LEAST_GROWTH:
        return None
    points = points[points.index(first) :]
    own = last.process - first.process
    seconds = short_duration(last.time_ns - first.time_ns)
    of_limit = (
        f", {last.held / last.limit:.0%} of its limit of {_mib(last.limit)}" if last.limit else ""
    )
    whose = "the container's memory" if last.limit else "the process's memory"
    during = _requests(evidence, points) if own >= growth * _OWN_SHARE else ""
    running = f", while {quoted(during)} was running" if during else ""
    return Finding(
        rule=RULE.name,
        summary=(
            f"{whose} grew from {_mib(_amount(first))} to {_mib(_amount(last))} in {seconds}"
            f"{of_limit}; {_where(own, growth)}{running}"
        ),
        explained_share=1.0 if is_pressure else 0.0,
        evidence={
            keys.FROM_BYTES: _amount(first),
            keys.TO_BYTES: _amount(last),
            keys.OF_PROCESS_BYTES: own,
            keys.DURATION_NS: last.time_ns - first.time_ns,
            **({keys.LIMIT_BYTES: last.limit} if last.limit else {}),
            **({keys.REQUESTS: during} if during else {}),
        },
    )


def _points(evidence: Evidence) -> list[_Point]:
    found = []
    for event in evidence.events(source_names.PROCESS):
        attributes = event.record.attributes
        process = attributes.get(vitals.MEMORY)
        if process:
            held = attributes.get(vitals.CONTAINER_MEMORY_HELD, 0)
            limit = attributes.get(vitals.CONTAINER_MEMORY_LIMIT, 0)
            found.append(_Point(event.start_ns, process, held, limit))
    return found


def _amount(point: _Point) -> int:
    """Return what counts against the limit; without one, what the process has."""
    return point.held if point.limit else point.process


def _where(own: int, growth: int) -> str:
    if own >= growth * _MOST_OF_IT:
        return "this process did"
    if own >= growth * _OWN_SHARE:
        return f"this process by {_mib(own)}"
    return f"this process only by {_mib(max(0, own))}: another one in the container did"


def _requests(evidence: Evidence, points: Sequence[_Point]) -> str:
    """Return the one name of requests that ran while memory grew, and not while it did not."""
    grown: defaultdict[str, int] = defaultdict(int)
    calm: defaultdict[str, int] = defaultdict(int)
    growth = calm_ns = 0
    for before, after in pairwise(points):
        step = max(0, after.process - before.process)
        names = {
            root.name
            for root in evidence.roots
            if root.start_ns < after.time_ns and root.end_ns > before.time_ns
        }
        is_growing = step > _LEAST_STEP
        growth += step if is_growing else 0
        calm_ns += 0 if is_growing else after.time_ns - before.time_ns
        for name in names:
            if is_growing:
                grown[name] += step
            else:
                calm[name] += after.time_ns - before.time_ns
    fitting = [
        name
        for name, amount in grown.items()
        if amount >= growth * _MOST_OF_IT and calm[name] <= calm_ns * _USUAL_SHARE
    ]
    return fitting[0] if len(fitting) == 1 else ""


def _mib(amount: int) -> str:
    return f"{amount / _MIB:.3g}MiB" if amount < 1000 * _MIB else f"{amount / _MIB / 1024:.3g}GiB"


RULE: Final = Rule(
    name="memory_growth",
    kind=Kind.CAUSE,
    title="Memory grew",
    find=find_memory_growth,
)
