"""The requests like the trigger's, good and bad ones, and what was different about them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from math import comb
from typing import Final, NamedTuple

from otel_flight.incidents.evidence.evidence import Evidence, LocalRoot
from otel_flight.incidents.evidence.places import application_frames
from otel_flight.interpreter.code.origin import short_file
from otel_flight.names import source_names
from otel_flight.records.normal_names import normal_name

FEWEST_GOOD: Final = 5
"""With fewer good requests, nothing is said of what they have in common."""
MOST_REQUESTS: Final = 1_000
"""At most this many requests are compared, the newest."""
MOST_SPANS: Final = 50_000
"""At most this many spans of them are looked at."""
_BAD_SHARE: Final = 0.5
_GOOD_SHARE: Final = 0.33
"""A request that takes this part of the slow one's time is as bad, or good; between them it is
neither."""
_LONGEST_VALUE: Final = 100
_MOST_BY_CHANCE: Final = 0.05
"""A difference that chance makes more often is none."""
_MOST_OF_BAD: Final = 0.8
_LEAST_OF_GOOD: Final = 0.2
"""A difference is what this part of the bad requests has at least, of the good ones at most."""
_LEAST_OF_SAMPLES: Final = 0.3
"""A bad request is in a function for a good part of its time with this share of its samples."""
_TIMES: Final = 3
"""A bad request has this many times as many spans of a name, or they take so much longer."""
_FEWEST_AMOUNTS: Final = 10
"""With fewer good requests that have a number, nothing is said of how large it usually is."""
_TIMES_USUAL: Final = 10
"""A number is unusual that is this many times the largest of the good requests."""
MISSING: Final = "did not make"
"""So goes the sentence on where bad requests lack a span that good ones have."""
SEEN: Final = "were seen in"
"""So it goes on where their stack samples show a function that those of good ones do not."""
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
_ADDRESSES: Final = ("http.", "url.")
"""Of two differences as clear, one in the address is told last: it has the other in it."""


@dataclass
class _Request:
    """One request: its attributes, by their names the spans below it, where samples saw it."""

    attributes: dict[str, str] = field(default_factory=dict)
    spans: Counter[str] = field(default_factory=Counter)
    times_ns: Counter[str] = field(default_factory=Counter)
    amounts: dict[tuple[str, str], float] = field(default_factory=dict)
    """The numbers among the attributes, the largest of each, by the span's name and the key."""
    places: Counter[str] = field(default_factory=Counter)
    samples: int = 0


class Difference(NamedTuple):
    """What bad requests have, and good ones have not.

    Attributes:
        verb: how the sentence goes on: `had`, `made`, `MISSING`, or `SEEN`.
        what: an attribute with its value, a span's name, or a function.
        bad: how many of the bad requests.
        good: how many of the good ones.
        chance: how often chance alone makes such a difference, at most.
        among: the bad and the good ones in which it was looked for; None: all.
    """

    verb: str
    what: str
    bad: int
    good: int
    chance: float
    among: tuple[int, int] | None = None


class Amount(NamedTuple):
    """A number that is far larger on the trigger's request than on good ones.

    Attributes:
        span: the name of the span that has it.
        key: the attribute.
        value: how much it is.
        usual: the largest of the good ones.
        good: how many good ones have it.
    """

    span: str
    key: str
    value: float
    usual: float
    good: int


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
    bad: dict[int, _Request] = {}
    good: dict[int, _Request] = {}
    for root in alike[-MOST_REQUESTS:]:
        if root.span_id == own.span_id or _is_bad(root, evidence, longest_ns):
            bad[root.trace_id] = _Request()
        elif _is_good(root, evidence, longest_ns):
            good[root.trace_id] = _Request()
    for trace_id in bad.keys() & good.keys():  # several in one trace are not told apart
        del good[trace_id]
    if len(good) < FEWEST_GOOD:
        return None
    _gather(evidence, {**bad, **good}, name)
    found = _differences(list(bad.values()), list(good.values()))
    amounts = _amounts(bad.get(own.trace_id, _Request()), list(good.values()))
    return Compared(name, len(bad), len(good), found, amounts)


def _is_bad(root: LocalRoot, evidence: Evidence, longest_ns: int) -> bool:
    if evidence.is_of_failure:
        return root.is_error
    return root.duration_ns >= longest_ns * _BAD_SHARE


def _is_good(root: LocalRoot, evidence: Evidence, longest_ns: int) -> bool:
    if root.is_open or root.is_error:
        return False
    return evidence.is_of_failure or root.duration_ns <= longest_ns * _GOOD_SHARE


def _gather(evidence: Evidence, requests: Mapping[int, _Request], name: str) -> None:
    wanted = (span.record for span in evidence.spans() if span.record.trace_id in requests)
    for record in islice(wanted, MOST_SPANS):
        request = requests[record.trace_id]
        for key, value in record.attributes.items():
            if type(value) in (int, float) and key not in _OUTCOMES:
                of_span = record.name, key
                request.amounts[of_span] = max(value, request.amounts.get(of_span, value))
        if not record.is_local_root:
            request.spans[record.name] += 1
            request.times_ns[record.name] += record.end_ns - record.start_ns
        elif normal_name(record.name) == name:
            request.attributes |= {
                key: str(value)[:_LONGEST_VALUE]
                for key, value in record.attributes.items()
                if isinstance(value, str | int) and key not in _OUTCOMES
            }

    for event in evidence.events(source_names.STACKS):
        if event.record.trace_id in requests:
            frames = application_frames(event.frames)
            names = {f"{frame.function} ({short_file(frame.file)})" for frame in frames}
            requests[event.record.trace_id].places.update(names)
            requests[event.record.trace_id].samples += 1


def _differences(bad: Sequence[_Request], good: Sequence[_Request]) -> list[Difference]:
    found = [*_of_attributes(bad, good), *_of_spans(bad, good), *_of_places(bad, good)]
    keys = {key for request in (*bad, *good) for key in (*request.attributes, *request.spans)}
    counted = (each._replace(chance=each.chance * len(keys)) for each in found)
    clear = [each for each in counted if each.chance <= _MOST_BY_CHANCE]
    return sorted(clear, key=_order)


def _order(each: Difference) -> tuple[float, bool, bool]:
    return each.chance, each.verb == MISSING, each.what.startswith(_ADDRESSES)


def _of_attributes(bad: Sequence[_Request], good: Sequence[_Request]) -> Iterable[Difference]:
    values: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for request in good:
        for key, value in request.attributes.items():
            values[key][value] += 1
    pairs = Counter(pair for request in bad for pair in request.attributes.items())
    for (key, value), count in pairs.items():
        of_good = values[key][value]
        once = sum(1 for seen in values[key].values() if seen == 1)
        if _is_clear(count, len(bad), of_good, len(good)):
            # A value that no good request has may be as new as each of theirs.
            new = 0.0 if of_good else (once / len(good)) ** max(1, len(bad) - 1)
            chance = max(_chance(count, len(bad), of_good, len(good)), new if once > 1 else 0.0)
            yield Difference("had", f"{key}={value}", count, of_good, chance)


def _of_spans(bad: Sequence[_Request], good: Sequence[_Request]) -> Iterable[Difference]:
    for name in sorted({name for request in (*bad, *good) for name in request.spans}):
        of_bad = sum(1 for request in bad if name in request.spans)
        of_good = sum(1 for request in good if name in request.spans)
        if _is_clear(of_bad, len(bad), of_good, len(good)):
            chance = _chance(of_bad, len(bad), of_good, len(good))
            yield Difference("made", name, of_bad, of_good, chance)
        elif _is_clear(len(bad) - of_bad, len(bad), len(good) - of_good, len(good)):
            missing, others = len(bad) - of_bad, len(good) - of_good
            chance = _chance(missing, len(bad), others, len(good))
            yield Difference(MISSING, name, missing, others, chance)
        elif of_good:
            yield from _of_amount(name, bad, good)


def _of_amount(
    name: str, bad: Sequence[_Request], good: Sequence[_Request]
) -> Iterable[Difference]:
    most = max(request.spans[name] for request in good)
    more = [request.spans[name] for request in bad if request.spans[name] >= most * _TIMES]
    if more and _is_clear(len(more), len(bad), 0, len(good)):
        verb = f"made {sorted(more)[len(more) // 2]} times, not {most} at most,"
        chance = _chance(len(more), len(bad), 0, len(good))
        yield Difference(verb, name, len(more), 0, chance)


def _amounts(bad: _Request, good: Sequence[_Request]) -> list[Amount]:
    """Return the numbers that are many times larger than on any of the good requests.

    Ids, ports and times are not: of a good many of them the largest is near what there can be.
    """
    found = []
    for (span, key), value in bad.amounts.items():
        others = [each.amounts[span, key] for each in good if (span, key) in each.amounts]
        if len(others) >= _FEWEST_AMOUNTS and value >= max(*others, 1) * _TIMES_USUAL:
            found.append(Amount(span, key, value, max(others), len(others)))
    return sorted(found, key=lambda each: each.usual / each.value)


def _of_places(bad: Sequence[_Request], good: Sequence[_Request]) -> Iterable[Difference]:
    """Compare where those were that were slow enough to be sampled; of good ones these are few.

    The slower one is, the more it is seen in, if only for a moment: of a bad one the functions
    count in which it was for a good part of the time.
    """
    seen_bad = [_mostly_in(request) for request in bad if request.samples]
    seen_good = [request.places for request in good if request.samples]
    among = len(seen_bad), len(seen_good)
    places: set[str] = set().union(*seen_bad) if len(seen_good) >= FEWEST_GOOD else set()
    for place in sorted(places):
        of_bad = sum(place in each for each in seen_bad)
        of_good = sum(place in each for each in seen_good)
        if _is_clear(of_bad, among[0], of_good, among[1]):
            chance = _chance(of_bad, among[0], of_good, among[1]) * len(places)
            yield Difference(SEEN, place, of_bad, of_good, chance, among)


def _mostly_in(request: _Request) -> set[str]:
    least = request.samples * _LEAST_OF_SAMPLES
    return {place for place, number in request.places.items() if number >= least}


def _is_clear(bad_with: int, bad: int, good_with: int, good: int) -> bool:
    return bad_with >= bad * _MOST_OF_BAD and good_with <= good * _LEAST_OF_GOOD


def _chance(bad_with: int, bad: int, good_with: int, good: int) -> float:
    """Return the probability that so many of the bad have it, if it were spread by chance.

    Fisher's exact test, one-sided.
    """
    having, total = bad_with + good_with, bad + good
    ways = sum(
        comb(having, number) * comb(total - having, bad - number)
        for number in range(bad_with, min(bad, having) + 1)
    )
    return ways / comb(total, bad)
