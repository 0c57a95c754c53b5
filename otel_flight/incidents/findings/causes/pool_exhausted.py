"""A pool of threads or connections of which a slow request got none, and who had them."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from otel_flight.incidents.evidence.samples import SOURCE, place_of
from otel_flight.incidents.evidence.view import (
    EvidenceView,
    quoted,
    short_duration,
    span_id_text,
)
from otel_flight.incidents.evidence.waits import LongestWait, longest_wait
from otel_flight.incidents.manifest import Finding
from otel_flight.names import attributes as names

POOLS: Final = frozenset({"thread pool", "connection pool"})
_LEAST_SHARE: Final = 0.2
_FEWEST_SAMPLES: Final = 2
_MOST_NAMED: Final = 3
_USERS_OF_THREADS: Final = ": "
_USERS: Final = "; who had one: "
_OTHERS: Final = "; other requests meanwhile: "


def find_pool_exhausted(view: EvidenceView) -> Finding | None:
    """Name the pool, how long was waited for it, and what its users were doing for which requests.

    Silent unless the same wait was seen twice, and for a good part of the request's time. Who has a
    connection is known of SQLAlchemy and of urllib3 (requests), while a function that runs has it
    in a variable; otherwise those are told that were slow meanwhile.
    """
    wait = longest_wait(view, POOLS)
    if wait is None or len(wait.samples) < _FEWEST_SAMPLES or wait.share < _LEAST_SHARE:
        return None
    root, first = wait.root, wait.samples[0]
    is_threads = first.wait_kind == "thread pool"
    users = _users(view, wait)
    others = _others(view, wait) if not is_threads and not users else Counter()
    threads = max(
        int(each.event.record.attributes.get(names.POOL_THREADS, 0)) for each in wait.samples
    )
    return Finding(
        rule="pool_exhausted",
        summary=(
            f"{quoted(root.record.name)} waited at least {short_duration(wait.duration_ns)} of its "
            f"{short_duration(root.duration_ns)} ({wait.share:.0%}) for "
            f"{_threads(wait, threads) if is_threads else _connections(wait)}"
            f"{_named(_USERS_OF_THREADS if is_threads else _USERS, users)}{_named(_OTHERS, others)}"
        ),
        explained_share=wait.share,
        evidence={
            "span_id": span_id_text(root),
            "pool": first.wait_on,
            "duration_ns": wait.duration_ns,
            "samples": len(wait.samples),
            "users": _evidence(users),
            **({"meanwhile": _evidence(others)} if others else {}),
            **({"threads": threads} if threads else {}),
        },
    )


def _threads(wait: LongestWait, busy: int) -> str:
    all_busy = f"; all {busy} were busy" if busy else ""
    return f"a free thread of {quoted(wait.samples[0].wait_on)}{all_busy}"


def _connections(wait: LongestWait) -> str:
    pool, place = quoted(wait.samples[0].wait_on), quoted(place_of(wait.samples[-1].frames), 200)
    return f"a connection from the pool of {pool} in {place}"


def _users(view: EvidenceView, wait: LongestWait) -> Counter[tuple[str, str]]:
    """Return what those did who had what a pool gives, for which request, over one sample."""
    found: Counter[tuple[str, str]] = Counter()
    for sample in wait.samples:
        attributes = sample.event.record.attributes
        places = attributes.get(names.POOL_BUSY, ())
        traces = attributes.get(names.POOL_TRACE_IDS, ())
        if len(places) <= sum(found.values()):
            continue
        by_trace = {f"{each.trace_id:032x}": each.name for each in view.roots}
        found = Counter(
            (place, by_trace.get(trace, "")) for place, trace in zip(places, traces, strict=False)
        )
    return found


def _others(view: EvidenceView, wait: LongestWait) -> Counter[tuple[str, str]]:
    """Return what other slow requests did that did not wait for the pool, each counted once."""
    start, end = wait.samples[0].start_ns, wait.samples[-1].end_ns
    by_span = {each.span_id: each.name for each in view.roots}
    seen: dict[int, tuple[str, str]] = {}
    for event in view.events_between(SOURCE, start, end):
        record = event.record
        is_own = record.span_id == wait.root.record.span_id
        kind = record.attributes.get(names.WAIT_KIND)
        if not is_own and kind != wait.samples[0].wait_kind and event.stack is not None:
            name = by_span.get(record.span_id, "")
            seen[record.span_id] = place_of(event.stack.frames), name
    return Counter(seen.values())


def _named(begin: str, users: Counter[tuple[str, str]]) -> str:
    if not users:
        return ""
    parts = [
        f"{count} × in {quoted(place, 200)}{f' for {quoted(name)}' if name else ''}"
        for (place, name), count in users.most_common(_MOST_NAMED)
    ]
    rest = sum(users.values()) - sum(count for _, count in users.most_common(_MOST_NAMED))
    return f"{begin}{', '.join(parts)}{f' and {rest} more' if rest else ''}"


def _evidence(users: Counter[tuple[str, str]]) -> list[dict[str, Any]]:
    return [
        {"place": place, "request": name, "count": count}
        for (place, name), count in users.most_common(20)
    ]
