"""A number that says how much there was to do: rows, bytes, items, far more than usual."""

from __future__ import annotations

from typing import Final

from otel_flight.incidents.evidence.evidence import Evidence
from otel_flight.incidents.evidence.usual.good_requests import compare
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from otel_flight.names import evidence as keys
from otel_flight.words import one_line, quoted

_LONGEST_KEY: Final = 100


def find_unusual_amount(evidence: Evidence) -> Finding | None:
    """Name the attribute of the request or of a span in it, how large it is, and usually at most.

    Silent unless at least ten good requests of the same name have that attribute, and it is ten
    times the largest of theirs.
    """
    compared = evidence.once(compare)
    if compared is None or not compared.amounts:
        return None
    most = compared.amounts[0]
    return Finding(
        rule=RULE.name,
        summary=(
            f"{quoted(one_line(most.key, _LONGEST_KEY))} of {quoted(most.span)} was "
            f"{most.value:,.15g}; on {most.good} good {quoted(compared.name)} it was "
            f"{most.usual:,.15g} at most"
        ),
        evidence={
            keys.ATTRIBUTE: most.key,
            keys.SPAN: most.span,
            keys.AMOUNT: most.value,
            keys.USUAL_AMOUNT: most.usual,
            keys.GOOD_REQUESTS: most.good,
        },
    )


RULE: Final = Rule(
    name="unusual_amount",
    kind=Kind.CIRCUMSTANCE,
    title="There was far more to do than usual",
    find=find_unusual_amount,
)
