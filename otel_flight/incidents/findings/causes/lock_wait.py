"""A lock that a slow request waited for, and what its holder was doing meanwhile."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from otel_flight.incidents.evidence.samples import Sample, place_of
from otel_flight.incidents.evidence.view import (
    EvidenceView,
    quoted,
    short_duration,
    span_id_text,
)
from otel_flight.incidents.evidence.waits import longest_wait
from otel_flight.incidents.manifest import Finding
from otel_flight.names import attributes as names

LOCKS: Final = frozenset({"lock", "semaphore"})
_LEAST_SHARE: Final = 0.2
_FEWEST_SAMPLES: Final = 2


def find_lock_wait(view: EvidenceView) -> Finding | None:
    """Name the lock, who waited for it, and where its holder was.

    Silent unless the same wait was seen twice, and for a good part of the request's time. The
    holder is the one frame of another thread or task that has the very same lock for certain: it is
    inside `with lock:`, or has called `lock.acquire()` on every way to where it stands and
    `release` on none since, or the lock is an `RLock` and knows its thread. It stays unknown where
    the function that acquired the lock has returned, where `acquire` may have failed (a timeout),
    where another function may have released it, and of a semaphore, which many may have.
    """
    wait = longest_wait(view, LOCKS)
    if wait is None or len(wait.samples) < _FEWEST_SAMPLES or wait.share < _LEAST_SHARE:
        return None
    root = wait.root
    holder, holder_text = _holder(view, wait.samples, root.record.trace_id)
    kind = wait.samples[0].wait_kind
    return Finding(
        rule="lock_wait",
        summary=(
            f"{quoted(root.record.name)} waited at least {short_duration(wait.duration_ns)} of its "
            f"{short_duration(root.duration_ns)} ({wait.share:.0%}) for the {kind} "
            f"{quoted(wait.samples[0].wait_on)} in {quoted(place_of(wait.samples[-1].frames), 200)}"
            f"{holder_text}"
        ),
        explained_share=wait.share,
        evidence={
            "span_id": span_id_text(root),
            "lock": wait.samples[0].wait_on,
            "duration_ns": wait.duration_ns,
            "samples": len(wait.samples),
            **holder,
        },
    )


def _holder(view: EvidenceView, samples: list[Sample], trace_id: int) -> tuple[dict[str, Any], str]:
    seen = Counter(
        (str(attributes[names.HOLDER]), str(attributes.get(names.HOLDER_TRACE_ID, "")))
        for sample in samples
        for attributes in (sample.event.record.attributes,)
        if names.HOLDER in attributes
    )
    if not seen:
        return {}, ""
    (place, trace), _ = seen.most_common(1)[0]
    evidence = {"holder": place, **({"holder_trace_id": trace} if trace else {})}
    text = f"; meanwhile {quoted(place, 200)} held it"
    if not trace:
        return evidence, text
    if int(trace, 16) == trace_id:
        return evidence, f"{text}, in this request itself"
    name = next((each.name for each in view.roots if each.trace_id == int(trace, 16)), "")
    return evidence, f"{text}, in another request{f', {quoted(name)}' if name else ''}"
