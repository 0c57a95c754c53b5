"""A pool of threads or connections of which a slow request got none, and who had them."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from otel_flight.ground.intervals import Interval
from otel_flight.incidents.evidence.durations.waits import LongestWait, longest_wait
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.places import place_of
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from otel_flight.names import attributes as names
from otel_flight.names import evidence as keys
from otel_flight.names import source_names, wait_kinds
from otel_flight.records.ids import id_of, span_text
from otel_flight.words import quoted

_POOLS: Final = frozenset({wait_kinds.THREAD_POOL, wait_kinds.CONNECTION_POOL})
_MOST_NAMED: Final = 3
_MOST_LISTED: Final = 20
"""The evidence lists at most this many users."""
_USERS_OF_THREADS: Final = ": "
_USERS: Final = "; who had one: "
_OTHERS: Final = "; other requests meanwhile: "

_Users = Counter[tuple[str, str]]
"""It counts who was at a place for the requests of a name."""


def find_pool_exhausted(evidence: Evidence) -> Finding | None:
    """Name the pool, how long was waited for it, and what its users were doing for which requests.

    Silent unless the same wait was seen twice, and for a good part of the request's time. Who has a
    connection is known of SQLAlchemy and of urllib3 (requests), while a function that runs has it
    in a variable; otherwise those are named that were slow meanwhile.
    """
    wait = longest_wait(evidence, _POOLS)
    if wait is None:
        return None
    first = wait.samples[0]
    is_threads = first.wait_kind == wait_kinds.THREAD_POOL
    users = _users(evidence, wait)
    others = _others(evidence, wait) if not is_threads and not users else Counter()
    threads = max(
        int(each.event.record.attributes.get(names.POOL_THREADS, 0)) for each in wait.samples
    )
    return Finding(
        rule=RULE.name,
        summary=(
            f"{wait.words} for {_threads(wait, threads) if is_threads else _connections(wait)}"
            f"{_named(_USERS_OF_THREADS if is_threads else _USERS, users)}{_named(_OTHERS, others)}"
        ),
        explained_share=wait.share,
        evidence={
            keys.SPAN_ID: span_text(wait.root.record.span_id),
            keys.POOL: first.wait_on,
            keys.DURATION_NS: wait.duration_ns,
            keys.SAMPLES: len(wait.samples),
            keys.USERS: _listed(users),
            **({keys.MEANWHILE: _listed(others)} if others else {}),
            **({keys.THREADS: threads} if threads else {}),
        },
    )


def _threads(wait: LongestWait, busy: int) -> str:
    all_busy = f"; all {busy} were busy" if busy else ""
    return f"a free thread of {quoted(wait.samples[0].wait_on)}{all_busy}"


def _connections(wait: LongestWait) -> str:
    pool, place = quoted(wait.samples[0].wait_on), quoted(place_of(wait.samples[-1].frames), 200)
    return f"a connection from the pool of {pool} in {place}"


def _users(evidence: Evidence, wait: LongestWait) -> _Users:
    """Return what those did who had what a pool gives, for which request, over one sample."""
    found: _Users = Counter()
    for sample in wait.samples:
        attributes = sample.event.record.attributes
        places = attributes.get(names.POOL_BUSY, ())
        traces = attributes.get(names.POOL_TRACE_IDS, ())
        if len(places) > sum(found.values()):
            found = Counter(
                (place, evidence.request_name(id_of(trace)))
                for place, trace in zip(places, traces, strict=False)
            )
    return found


def _others(evidence: Evidence, wait: LongestWait) -> _Users:
    """Return what other slow requests did that did not wait for the pool, each counted once."""
    waited = Interval(wait.samples[0].start_ns, wait.samples[-1].end_ns)
    by_span = {each.span_id: each.name for each in evidence.roots}
    seen: dict[int, tuple[str, str]] = {}
    for event in evidence.events_during(source_names.STACKS, waited):
        span_id = event.record.span_id
        is_own = span_id == wait.root.record.span_id
        kind = event.record.attributes.get(names.WAIT_KIND)
        if not is_own and kind != wait.samples[0].wait_kind and event.stack is not None:
            seen[span_id] = place_of(event.frames), by_span.get(span_id, "")
    return Counter(seen.values())


def _named(begin: str, users: _Users) -> str:
    if not users:
        return ""
    named = users.most_common(_MOST_NAMED)
    parts = [
        f"{count} × in {quoted(place, 200)}{f' for {quoted(name)}' if name else ''}"
        for (place, name), count in named
    ]
    rest = sum(users.values()) - sum(count for _, count in named)
    return f"{begin}{', '.join(parts)}{f' and {rest} more' if rest else ''}"


def _listed(users: _Users) -> list[dict[str, Any]]:
    return [
        {keys.PLACE: place, keys.REQUEST: name, keys.COUNT: count}
        for (place, name), count in users.most_common(_MOST_LISTED)
    ]


RULE: Final = Rule(
    name="pool_exhausted",
    kind=Kind.CAUSE,
    title="A pool was exhausted",
    find=find_pool_exhausted,
)
