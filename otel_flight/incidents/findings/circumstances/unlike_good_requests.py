"""What the bad requests have that the good ones of the same name have not."""

from __future__ import annotations

from typing import Final

from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.usual.differences import MISSING, SEEN, Difference
from otel_flight.incidents.evidence.usual.good_requests import compare
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from otel_flight.names import evidence as keys
from otel_flight.words import count, quoted

_MOST_TOLD: Final = 3
"""At most this many differences are among what shows the finding."""


def find_unlike_good_requests(evidence: Evidence) -> Finding | None:
    """Name an attribute's value, a span, or a function that separates them, with the counts.

    Functions are those in the stack samples of requests that were slow enough to have some.
    Silent with fewer than five good requests of the same name in the window, and about what chance
    may have made: the probability of Fisher's exact test, times the number of things compared, is
    at most 5 %. What came of a request, such as its status, is no difference.
    """
    compared = evidence.once(compare)
    if compared is None or not compared.differences:
        return None
    first = compared.differences[0]
    bad, good = first.among or (compared.bad, compared.good)
    kind = "failed" if evidence.is_of_failure else "slow"
    return Finding(
        rule=RULE.name,
        summary=(
            f"{_of(first.bad, bad)} {kind} {quoted(compared.name)} {first.verb} "
            f"{quoted(first.what)}; {_of_good(first, good)}"
        ),
        evidence={
            keys.BAD_REQUESTS: compared.bad,
            keys.GOOD_REQUESTS: compared.good,
            keys.DIFFERENCES: [
                {
                    keys.DIFFERENCE: f"{each.verb} {each.what}",
                    keys.BAD_REQUESTS: each.bad,
                    keys.GOOD_REQUESTS: each.good,
                    keys.CHANCE: each.chance,
                }
                for each in compared.differences[:_MOST_TOLD]
            ],
        },
    )


def _of(number: int, total: int) -> str:
    if total == 1:
        return "the"
    return f"all {total}" if number == total else f"{number} of {total}"


def _of_good(first: Difference, total: int) -> str:
    verb, good = "did", count(total, "good one")
    if first.verb == SEEN:
        verb, good = "were", f"{good} that were sampled"
    doing = total - first.good if first.verb == MISSING else first.good
    return f"all {good} {verb}" if doing == total else f"{doing or 'none'} of {good} {verb}"


RULE: Final = Rule(
    name="unlike_good_requests",
    kind=Kind.CIRCUMSTANCE,
    title="The bad requests have something in common",
    find=find_unlike_good_requests,
)
