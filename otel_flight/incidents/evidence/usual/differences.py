"""What is different about bad requests: what most of them have and hardly a good one has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import comb
from typing import Final, NamedTuple

FEWEST_GOOD: Final = 5
"""With fewer good requests, nothing is said of what they have in common."""
_MOST_BY_CHANCE: Final = 0.05
"""A difference that chance makes more often is none."""
_MOST_OF_BAD: Final = 0.8
_LEAST_OF_GOOD: Final = 0.2
"""A difference is what this part of the bad requests has at least, of the good ones at most."""
_LEAST_OF_SAMPLES: Final = 0.3
"""A bad request is in a function for a good part of its time with this share of its samples."""
_TIMES: Final = 3
"""A bad request has this many times as many spans of a name."""
_FEWEST_AMOUNTS: Final = 10
"""With fewer good requests that have a number, nothing is said of how large it usually is."""
_TIMES_USUAL: Final = 10
"""A number is unusual that is this many times the largest of the good requests."""
MISSING: Final = "did not make"
"""So goes the sentence on where bad requests lack a span that good ones have."""
HAD: Final = "had"
"""So it goes on where they have an attribute's value."""
HAD_BELOW: Final = "made a span with"
"""So it goes on where a span below them has it."""
SEEN: Final = "were seen in"
"""So it goes on where their stack samples show a function that those of good ones do not."""
_ADDRESSES: Final = ("http.", "url.")
"""Of two differences as clear, one in the address is told last: it has the other in it."""


@dataclass
class Request:
    """One request: its attributes, by their names the spans below it, where samples saw it."""

    attributes: set[tuple[str, str, str]] = field(default_factory=set)
    """Of each the span below that has it (empty: the request itself), the key, and the value."""
    spans: Counter[str] = field(default_factory=Counter)
    amounts: dict[tuple[str, str], float] = field(default_factory=dict)
    """The numbers among the attributes, the largest of each, by the span's name and the key."""
    places: Counter[str] = field(default_factory=Counter)
    samples: int = 0


class Difference(NamedTuple):
    """What bad requests have, and good ones have not.

    Attributes:
        verb: how the sentence goes on: `HAD`, `HAD_BELOW`, `made`, `MISSING`, or `SEEN`.
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


def differences_of(bad: Sequence[Request], good: Sequence[Request]) -> list[Difference]:
    """Return what separates bad requests from good ones, the clearest first."""
    found = [*_of_attributes(bad, good), *_of_spans(bad, good), *_of_places(bad, good)]
    keys = {key for each in (*bad, *good) for key in (*each.spans, *_keys(each))}
    counted = (each._replace(chance=each.chance * len(keys)) for each in found)
    clear = [each for each in counted if each.chance <= _MOST_BY_CHANCE]
    return sorted(clear, key=_order)


def _order(each: Difference) -> tuple[float, bool, bool, bool]:
    is_address = each.what.startswith(_ADDRESSES)
    return each.chance, each.verb == MISSING, is_address, each.verb == HAD_BELOW


def _keys(request: Request) -> set[tuple[str, str]]:
    return {(below, key) for below, key, _ in request.attributes}


def _of_attributes(bad: Sequence[Request], good: Sequence[Request]) -> Iterable[Difference]:
    seen = Counter(each for request in good for each in request.attributes)
    having = Counter(key for request in good for key in _keys(request))
    only = Counter((below, key) for (below, key, _), number in seen.items() if number == 1)
    of_bad = Counter(each for request in bad for each in request.attributes)
    for each, count in sorted(of_bad.items()):
        below, key, value = each
        if below and having[below, key] < FEWEST_GOOD:
            continue  # the whole span is new
        of_good, once = seen[each], min(only[below, key], len(good))
        if _is_clear(count, len(bad), of_good, len(good)):
            # A value that no good request has may be as new as each of theirs.
            new = 0.0 if of_good else (once / len(good)) ** max(1, len(bad) - 1)
            chance = max(_chance(count, len(bad), of_good, len(good)), new if once > 1 else 0.0)
            what = f"{key}={value} of {below}" if below else f"{key}={value}"
            yield Difference(HAD_BELOW if below else HAD, what, count, of_good, chance)


def _of_spans(bad: Sequence[Request], good: Sequence[Request]) -> Iterable[Difference]:
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


def _of_amount(name: str, bad: Sequence[Request], good: Sequence[Request]) -> Iterable[Difference]:
    most = max(request.spans[name] for request in good)
    more = [request.spans[name] for request in bad if request.spans[name] >= most * _TIMES]
    if more and _is_clear(len(more), len(bad), 0, len(good)):
        verb = f"made {sorted(more)[len(more) // 2]} times, not {most} at most,"
        chance = _chance(len(more), len(bad), 0, len(good))
        yield Difference(verb, name, len(more), 0, chance)


def amounts_of(bad: Request, good: Sequence[Request]) -> list[Amount]:
    """Return the numbers that are many times larger than on any of the good requests.

    Ids, ports and times are not: of a good many of them the largest is near what there can be.
    """
    found = []
    for (span, key), value in bad.amounts.items():
        others = [each.amounts[span, key] for each in good if (span, key) in each.amounts]
        if len(others) >= _FEWEST_AMOUNTS and value >= max(*others, 1) * _TIMES_USUAL:
            found.append(Amount(span, key, value, max(others), len(others)))
    return sorted(found, key=lambda each: each.usual / each.value)


def _of_places(bad: Sequence[Request], good: Sequence[Request]) -> Iterable[Difference]:
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


def _mostly_in(request: Request) -> set[str]:
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
