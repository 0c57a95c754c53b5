"""The first request of its kind in a process, which paid for what the later ones find made."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Final

from otel_flight.incidents.evidence.durations.own_time import parts_of_slow
from otel_flight.incidents.evidence.durations.samples import Sample
from otel_flight.incidents.evidence.durations.stopped_time import slow_request
from otel_flight.incidents.evidence.evidence import Evidence, LocalRoot
from otel_flight.incidents.evidence.usual.differences import FEWEST_GOOD
from otel_flight.incidents.findings.rule import Kind, Rule
from otel_flight.incidents.manifest import Finding
from otel_flight.names import evidence as keys
from otel_flight.records.normal_names import normal_name
from otel_flight.words import quoted, short_duration

_TIMES: Final = 3
"""It took at least so many times as long as the later ones did."""
_LEAST_OF_SAMPLES: Final = 0.3
"""What is done only once is named that this part of the request's stack samples shows."""
_ONCE: Final = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"<frozen importlib\._bootstrap", "imported modules"),
        (r"[/\\](?:jinja2|mako)[/\\](?:compiler|parser|lexer|codegen)\.py$", "compiled templates"),
        (r"[/\\]django[/\\]template[/\\](?:base|loader|engine)\.py$", "compiled templates"),
        (r"[/\\](?:re[/\\]_?\w+|sre_\w+)\.py$", "compiled regular expressions"),
        (
            r"[/\\]sqlalchemy[/\\](?:orm[/\\](?:mapper|relationships|decl_\w+)|sql[/\\]compiler)\.py$",
            "prepared what SQLAlchemy keeps",
        ),
        (
            r"[/\\]pydantic[/\\]_internal[/\\]_(?:generate_schema|model_construction)\.py$",
            "built schemas",
        ),
    )
)
"""Functions in these files do what has to be done only once."""
_CONNECTING: Final = ("connection to", "TLS handshake", "look-up of")
"""So begins what is waited for where a connection is made."""


def find_cold_start(evidence: Evidence) -> Finding | None:
    """Say how long the later ones took, and what this one did that is done only once.

    The request must be the first of its name since recording began in the process, and at least
    five later ones must have taken a third of its time at most. Silent where the window does not
    reach back so far.
    """
    slow = slow_request(evidence)
    if slow is None or not _reaches_back_to_the_start(evidence):
        return None
    root = evidence.trace.local_root(slow)
    name = normal_name(root.name)
    alike = [each for each in evidence.roots if normal_name(each.name) == name]
    later = [each for each in alike if each.start_ns >= root.end_ns and not each.is_open]
    if (
        not alike
        or alike[0].span_id != root.record.span_id
        or not _are_good(later, root.duration_ns)
    ):
        return None
    usual_ns = int(median(each.duration_ns for each in later))
    after_ns = root.start_ns - evidence.manifest.coverage.start_ns
    return Finding(
        rule=RULE.name,
        summary=(
            f"{quoted(root.name)} was the first of its kind in this process, "
            f"{short_duration(max(0, after_ns))} after recording had begun; the {len(later)} after "
            f"it took {short_duration(usual_ns)}{_what_once(evidence)}"
        ),
        evidence={
            keys.USUAL_DURATION_NS: usual_ns,
            keys.GOOD_REQUESTS: len(later),
        },
    )


def _reaches_back_to_the_start(evidence: Evidence) -> bool:
    coverage = evidence.manifest.coverage
    return coverage.is_complete and coverage.start_ns > coverage.requested_start_ns


def _are_good(later: Sequence[LocalRoot], duration_ns: int) -> bool:
    good = [each for each in later if each.duration_ns * _TIMES <= duration_ns]
    return len(good) >= FEWEST_GOOD and len(good) == len(later)


def _what_once(evidence: Evidence) -> str:
    samples = [sample for part in evidence.once(parts_of_slow) for sample in part.samples]
    seen = Counter(filter(None, map(_done_once, samples)))
    words, number = seen.most_common(1)[0] if seen else ("", 0)
    return f"; it {words}" if number >= max(1, len(samples) * _LEAST_OF_SAMPLES) else ""


def _done_once(sample: Sample) -> str:
    if sample.wait_on.startswith(_CONNECTING):
        return "made connections"
    files = [frame.file for frame in sample.frames]
    found = (words for pattern, words in _ONCE if any(map(pattern.search, files)))
    return next(found, "")


RULE: Final = Rule(
    name="cold_start",
    kind=Kind.CIRCUMSTANCE,
    title="It was the first of its kind",
    find=find_cold_start,
)
