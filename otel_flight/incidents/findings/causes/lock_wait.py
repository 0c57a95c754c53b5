"""A lock that a slow request waited for, and what its holder was doing meanwhile."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from otel_flight.incidents.evidence.durations.company import others_there
from otel_flight.incidents.evidence.durations.waits import LongestWait, longest_wait
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.places import place_of
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from otel_flight.names import attributes as names
from otel_flight.names import evidence as keys
from otel_flight.names import wait_kinds
from otel_flight.records.ids import id_of, span_text
from otel_flight.words import count, quoted

_LOCKS: Final = frozenset({wait_kinds.LOCK, wait_kinds.SEMAPHORE})


def find_lock_wait(evidence: Evidence) -> Finding | None:
    """Name the lock, who waited for it, and where its holder was.

    Silent unless the same wait was seen twice, and for a good part of the request's time. The
    holder is the one frame of another thread or task that has the very same lock for certain: it is
    inside `with lock:`, or has called `lock.acquire()` on every way to where it stands and
    `release` on none since, or the lock is an `RLock` and knows its thread. It stays unknown where
    the function that acquired the lock has returned, where `acquire` may have failed (a timeout),
    where another function may have released it. Of those who have a semaphore, one is named.
    """
    wait = longest_wait(evidence, _LOCKS)
    if wait is None:
        return None
    root, lock = wait.root, wait.samples[0].wait_on
    others = others_there(evidence, wait.samples)
    holder, holder_words = _holder(evidence, wait)
    return Finding(
        rule=RULE.name,
        summary=(
            f"{wait.words} for the {wait.samples[0].wait_kind} {quoted(lock)} in "
            f"{quoted(place_of(wait.samples[-1].frames), 200)}{holder_words}"
            f"{_others_words(others)}"
        ),
        explained_share=wait.share,
        evidence={
            keys.SPAN_ID: span_text(root.record.span_id),
            keys.LOCK: lock,
            keys.DURATION_NS: wait.duration_ns,
            keys.SAMPLES: len(wait.samples),
            **({keys.OTHER_REQUESTS: others} if others else {}),
            **holder,
        },
    )


def _others_words(others: int) -> str:
    return f"; {count(others, 'other request')} waited there, too" if others else ""


def _holder(evidence: Evidence, wait: LongestWait) -> tuple[dict[str, Any], str]:
    """Return whoever held the lock in most samples, as evidence and in words."""
    seen = Counter(
        (str(attributes[names.HOLDER]), str(attributes.get(names.HOLDER_TRACE_ID, "")))
        for sample in wait.samples
        for attributes in (sample.event.record.attributes,)
        if names.HOLDER in attributes
    )
    if not seen:
        return {}, ""
    (place, trace), _ = seen.most_common(1)[0]
    found = {keys.HOLDER: place, **({keys.HOLDER_TRACE_ID: trace} if trace else {})}
    is_lock = wait.samples[0].wait_kind == wait_kinds.LOCK
    text = f"; meanwhile {quoted(place, 200)} {'held it' if is_lock else 'had a place in it'}"
    if not trace:
        return found, text
    if id_of(trace) == wait.root.record.trace_id:
        return found, f"{text}, in this request itself"
    name = evidence.request_name(id_of(trace))
    return found, f"{text}, in another request{f', {quoted(name)}' if name else ''}"


RULE: Final = Rule(
    name="lock_wait",
    kind=Kind.CAUSE,
    title="It waited for a lock",
    find=find_lock_wait,
)
