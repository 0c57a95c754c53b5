"""A function of the service's own that waited: for the network, a process, a queue, or it slept."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from otel_flight.incidents.evidence.durations.company import others_there
from otel_flight.incidents.evidence.durations.library_calls import words_of_calls
from otel_flight.incidents.evidence.durations.own_time import OwnTime, longest_of, words_of_path
from otel_flight.incidents.evidence.durations.time_parts import Doing, Part
from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.failures.dead_threads import deaths_of_threads
from otel_flight.incidents.evidence.failures.expired_limits import expired_limit
from otel_flight.incidents.evidence.failures.unhandled import unhandled_words
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from otel_flight.names import attributes as names
from otel_flight.names import evidence as keys
from otel_flight.names.exception_attributes import WHERE
from otel_flight.names.wait_kinds import (
    BARRIER,
    CONDITION,
    CONNECTION_POOL,
    EVENT,
    FUTURE,
    IMPORT,
    LOCK,
    NETWORK,
    QUEUE,
    SEMAPHORE,
    SLEEP,
    TASK,
    THREAD,
    THREAD_POOL,
    TURN_OF_LOOP,
)
from otel_flight.records.ids import span_text
from otel_flight.words import count, quoted, short_duration

_OF_OTHERS: Final = frozenset({CONNECTION_POOL, LOCK, SEMAPHORE, THREAD_POOL})
"""The rules on locks and pools speak of these, and of who has them."""

_RETRY_PACKAGE: Final = re.compile(
    r"[/\\](aiohttp_retry|backoff|retry|retrying|stamina|tenacity)[/\\]"
    r"|[/\\](urllib3)[/\\]util[/\\]retry\.py$|[/\\](botocore)[/\\]endpoint\.py$"
    r"|[/\\](google[/\\]api_core)[/\\]retry[/\\]"
)
_DONE_BY_OTHERS: Final = frozenset({BARRIER, CONDITION, EVENT, FUTURE, QUEUE, TASK})
"""Somebody else ends a wait for one of these."""
_MOST_SHARERS: Final = 2
_SAID_BY_KIND: Final = frozenset({EVENT, FUTURE, IMPORT, QUEUE, SLEEP, TASK, THREAD})
"""The function by which one of these is waited for says nothing more."""


def find_own_wait(evidence: Evidence) -> Finding | None:
    """Name the function that waited, for what, and who called it.

    Silent about less than a third of the time, about what a single sample shows, about locks and
    pools, which have rules of their own, and about waits within calls to other services.
    """
    own = longest_of(evidence, {Doing.WAITING}, _OF_OTHERS)
    if own is None:
        return None
    calls = "" if own.part.subject in _SAID_BY_KIND else words_of_calls(own.part)
    others = others_there(evidence, own.part.samples)
    there = f"; {count(others, 'other request')} waited there, too" if others else ""
    return Finding(
        rule=RULE.name,
        summary=(
            f"{quoted(own.span.name)} {_waited(own.part, own.words)} in {words_of_path(own.path)}"
            f"{calls}{_retry_words(own.part) or _limit_words(evidence, own)}"
            f"{_sharers_words(own.part)}{there}{_death_words(evidence, own)}"
        ),
        explained_share=own.share,
        evidence={
            keys.SPAN_ID: span_text(own.span.record.span_id),
            keys.DURATION_NS: own.part.duration_ns,
            keys.SAMPLES: len(own.part.samples),
            **({keys.OTHER_REQUESTS: others} if others else {}),
            names.WAIT_KIND: own.part.subject,
            names.WAIT_ON: own.part.object,
            **own.location,
        },
    )


def _retry_words(part: Part) -> str:
    """Say by which package the wait was one between two attempts of the same, if it was."""
    files = (frame.file for frame in part.samples[0].event.frames)
    found = [match[match.lastindex or 0] for match in map(_RETRY_PACKAGE.search, files) if match]
    return f", before `{found[-1]}` tries again" if found and part.subject == SLEEP else ""


def _limit_words(evidence: Evidence, own: OwnTime) -> str:
    """Say how long the wait was to last at most, where that is known and most samples have it.

    Or that a limit which was set further out ended it.
    """
    samples = own.part.samples
    limits = Counter(each.event.record.attributes.get(names.WAIT_LIMIT, 0) for each in samples)
    limit, _ = limits.most_common(1)[0]
    over = evidence.once(expired_limit)
    if over is None or over.last not in samples:
        return f"; its time limit was {short_duration(limit)}" if limit else ""
    length = f" of {short_duration(limit)}" if limit else ""
    after = short_duration(over.end_ns - own.span.start_ns)
    return (
        f", until the time limit{length} set in {quoted(over.place, 200)} was over, "
        f"{after} after it had begun"
    )


def _sharers_words(part: Part) -> str:
    """Say where those were who have what was waited for, or the loop, in most samples first."""
    lists = [each.event.record.attributes.get(names.WAIT_SHARERS, ()) for each in part.samples]
    seen = Counter(place for places in lists for place in places)
    places = [quoted(place, 200) for place, _ in seen.most_common(_MOST_SHARERS)]
    who = "the loop" if part.subject == TURN_OF_LOOP else "who has it, too,"
    return f"; meanwhile {who} was in {' and '.join(places)}" if places else ""


def _death_words(evidence: Evidence, own: OwnTime) -> str:
    """Say who died that may have been waited for: a task that had it, or the last thread.

    Of a thread it is not known what it had.
    """
    if own.part.subject not in _DONE_BY_OTHERS:
        return ""
    last = own.part.samples[-1].event.record.attributes.get(names.WAIT_DEATH)
    if last is not None:
        return f"; a task that had it died of {quoted(str(last), 200)}"
    deaths = evidence.once(deaths_of_threads)
    if not deaths or own.part.samples[-1].event.record.attributes.get(names.WAIT_SHARERS):
        return ""
    attributes = deaths[-1].record.attributes
    before = short_duration(own.span.end_ns - deaths[-1].start_ns)
    return (
        f"; the thread {quoted(str(attributes.get(WHERE, '')))} had died {before} before its end "
        f"of {unhandled_words(attributes, deaths[-1].frames)}"
    )


def _waited(part: Part, how_long: str) -> str:
    if part.subject == SLEEP:
        return f"slept for {how_long}"
    what = f" ({quoted(part.object)})" if part.object else ""
    article = "the" if part.subject == NETWORK else "an" if part.subject[0] in "aeiou" else "a"
    return f"waited {how_long} for {article} {part.subject}{what}"


RULE: Final = Rule(
    name="own_wait",
    kind=Kind.CAUSE,
    title="A function waited",
    find=find_own_wait,
)
