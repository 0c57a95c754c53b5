"""The requests like the trigger's, good and bad ones, and what was different about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple

from otel_flight.incidents.evidence.evidence import Evidence, LocalRoot
from otel_flight.incidents.evidence.places import application_frames
from otel_flight.incidents.evidence.usual.differences import (
    FEWEST_GOOD,
    Amount,
    Difference,
    Request,
    amounts_of,
    differences_of,
)
from otel_flight.interpreter.code.origin import short_file
from otel_flight.names import source_names
from otel_flight.records.normal_names import normal_name

MOST_REQUESTS: Final = 1_000
"""At most this many requests are compared, the newest."""
MOST_SPANS: Final = 50_000
"""At most this many spans of them are looked at."""
_BAD_SHARE: Final = 0.5
_GOOD_SHARE: Final = 0.33
"""A request that takes this part of the slow one's time is as bad, or good; between them it is
neither."""
_LONGEST_VALUE: Final = 100
_OUTCOMES: Final = frozenset(
    {
        "error.type",
        "http.response.status_code",
        "http.status_code",
        "http.status_text",
        "rpc.grpc.status_code",
        "rpc.response.status_code",
    }
)
"""What these attributes say is what came of it, and no difference."""


class Compared(NamedTuple):
    """All that were compared.

    Attributes:
        name: what the requests are called, without ids.
        bad: how many bad ones there are.
        good: how many good ones.
        differences: the clearest first.
        amounts: the most unusual first.
    """

    name: str
    bad: int
    good: int
    differences: Sequence[Difference]
    amounts: Sequence[Amount] = ()


def compare(evidence: Evidence) -> Compared | None:
    """Compare the requests that were as bad as the trigger's with good ones of the same name.

    None with fewer than five good ones. Goes over the spans of the window once more.
    """
    if evidence.trigger is None:
        return None
    own = evidence.trace.local_root(evidence.trigger).record
    name = normal_name(own.name)
    alike = [root for root in evidence.roots if normal_name(root.name) == name]
    longest_ns = next((root.duration_ns for root in alike if root.span_id == own.span_id), 0)
    bad: dict[int, Request] = {}
    good: dict[int, Request] = {}
    for root in alike[-MOST_REQUESTS:]:
        if root.span_id == own.span_id or _is_bad(root, evidence, longest_ns):
            bad[root.trace_id] = Request()
        elif _is_good(root, evidence, longest_ns):
            good[root.trace_id] = Request()
    for trace_id in bad.keys() & good.keys():  # several in one trace are not told apart
        del good[trace_id]
    if len(good) < FEWEST_GOOD:
        return None
    _gather(evidence, {**bad, **good}, name)
    found = differences_of(list(bad.values()), list(good.values()))
    amounts = amounts_of(bad.get(own.trace_id, Request()), list(good.values()))
    return Compared(name, len(bad), len(good), found, amounts)


def _is_bad(root: LocalRoot, evidence: Evidence, longest_ns: int) -> bool:
    if evidence.is_of_failure:
        return root.is_error
    return root.duration_ns >= longest_ns * _BAD_SHARE


def _is_good(root: LocalRoot, evidence: Evidence, longest_ns: int) -> bool:
    if root.is_open or root.is_error:
        return False
    return evidence.is_of_failure or root.duration_ns <= longest_ns * _GOOD_SHARE


def _gather(evidence: Evidence, requests: Mapping[int, Request], name: str) -> None:
    wanted = (span.record for span in evidence.spans() if span.record.trace_id in requests)
    for record in islice(wanted, MOST_SPANS):
        request = requests[record.trace_id]
        for key, value in record.attributes.items():
            if type(value) in (int, float) and key not in _OUTCOMES:
                of_span = record.name, key
                request.amounts[of_span] = max(value, request.amounts.get(of_span, value))
        if not record.is_local_root:
            request.spans[record.name] += 1
        elif normal_name(record.name) != name:
            continue
        below = "" if record.is_local_root else record.name
        request.attributes |= {
            (below, key, str(value)[:_LONGEST_VALUE])
            for key, value in record.attributes.items()
            if isinstance(value, str | int) and key not in _OUTCOMES
        }

    for event in evidence.events(source_names.STACKS):
        if event.record.trace_id in requests:
            frames = application_frames(event.frames)
            names = {f"{frame.function} ({short_file(frame.file)})" for frame in frames}
            requests[event.record.trace_id].places.update(names)
            requests[event.record.trace_id].samples += 1
