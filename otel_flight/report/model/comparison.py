"""Two incidents beside each other: what is the same in both, and what differs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from otel_flight.incidents.manifest import Finding
from otel_flight.report.model.compared_values import (
    DIFFERS,
    SAME,
    Row,
    Value,
    compared,
    row_of,
)
from otel_flight.report.model.incident_report import IncidentReport
from otel_flight.report.model.incident_words import cause_words, coverage_words, loss_words
from otel_flight.report.model.sampled_functions import functions_of
from otel_flight.report.model.time_words import Share
from otel_flight.report.model.traffic import Route, routes_of
from otel_flight.words import moment, one_line, short_duration

MOST_ROWS: Final = 30
"""A section has at most this many rows; those that differ come first, the others are counted."""
_PROCESS: Final = ("host", "python", "implementation", "sdk")
"""These facts of a process are compared; the others are another one's each time."""


@dataclass(frozen=True)
class Section:
    """A part of the comparison.

    Attributes:
        title: what its rows are about.
        rows: those that differ first.
        left_out: how many more there are.
    """

    title: str
    rows: Sequence[Row]
    left_out: int = 0


@dataclass(frozen=True)
class Compared:
    """One of the two incidents, in short.

    Attributes:
        id: its id.
        title: what happened.
        service: of which service it is.
        opened: when.
    """

    id: str
    title: str
    service: str
    opened: str


@dataclass(frozen=True)
class Comparison:
    """Two incidents beside each other.

    Attributes:
        incidents: the two, in the order in which their values stand in the rows.
        sections: what is compared; sections without rows are left out.
    """

    incidents: tuple[Compared, Compared]
    sections: Sequence[Section]


def compare(one: IncidentReport, other: IncidentReport) -> Comparison:
    """Compare two incidents. Numbers count as the same when they differ by less than half."""
    both = one, other
    sections = [
        _section("What happened", _causes(*both)),
        _section("Findings", _findings(one.findings, other.findings)),
        _section("Evidence", _evidence(one.findings, other.findings)),
        _section("Where the time went", _by_key(*map(_shares, both))),
        _section(
            "Functions in the stack samples", _by_key(*(functions_of(e.events) for e in both))
        ),
        _section("Requests", _routes(*map(routes_of, both))),
        _section("Window", _by_key(*map(_window, both))),
        _section("Service and process", _by_key(*map(_process, both))),
    ]
    return Comparison((_short(one), _short(other)), [each for each in sections if each.rows])


def _short(report: IncidentReport) -> Compared:
    manifest = report.manifest
    return Compared(
        manifest.incident_id,
        one_line(manifest.title, 200),
        one_line(manifest.service_name, 80),
        moment(manifest.opened_ns),
    )


def _section(title: str, rows: Iterable[Row]) -> Section:
    ordered = sorted(rows, key=lambda row: row.verdict == SAME)
    return Section(title, ordered[:MOST_ROWS], max(0, len(ordered) - MOST_ROWS))


def _by_key(one: Mapping[str, Value], other: Mapping[str, Value]) -> list[Row]:
    return [row_of(key, one.get(key), other.get(key)) for key in dict.fromkeys([*one, *other])]


def _causes(one: IncidentReport, other: IncidentReport) -> list[Row]:
    def said(report: IncidentReport) -> dict[str, Value]:
        cause = report.manifest.trigger
        told = {
            "cause": report.manifest.reason,
            "request": cause.subject if cause is not None else "",
            "span": cause.origin if cause is not None else "",
            "details": ", ".join(cause_words(cause)) if cause is not None else "",
            "more causes": ", ".join(each.title for each in report.manifest.causes[1:6]),
            "service": report.manifest.service_name,
        }
        return {name: Value(text) for name, text in told.items() if text}

    return _by_key(said(one), said(other))


def _named(finding: Finding) -> tuple[str, ...]:
    return finding.rule, *finding.summary.split("`")[1::2]


def _pairs(
    one: Sequence[Finding], other: Sequence[Finding]
) -> list[tuple[Finding | None, Finding | None]]:
    """Return findings of the same rule in pairs, those that name the same first."""
    left = list(other)
    pairs: list[tuple[Finding | None, Finding | None]] = []
    for finding in one:
        alike = [each for each in left if each.rule == finding.rule]
        found = next((each for each in alike if _named(each) == _named(finding)), None)
        if found is None:
            found = next(iter(alike), None)
        if found is not None:
            left.remove(found)
        pairs.append((finding, found))
    return [*pairs, *((None, each) for each in left)]


def _findings(one: Sequence[Finding], other: Sequence[Finding]) -> list[Row]:
    rows = []
    for left, right in _pairs(one, other):
        rule = (left or right).rule.replace("_", " ")  # type: ignore[union-attr]
        values = [Value(each.summary) if each is not None else None for each in (left, right)]
        row = row_of(rule, *values)
        if left is not None and right is not None:  # the same culprit, whatever the figures
            row = replace(row, verdict=SAME if _named(left) == _named(right) else DIFFERS)
        rows.append(row)
    return rows


def _evidence(one: Sequence[Finding], other: Sequence[Finding]) -> list[Row]:
    rows = []
    for left, right in _pairs(one, other):
        if left is None or right is None:
            continue
        told = [
            {
                f"{each.rule}: {key}".replace("_", " ").removesuffix(" ns"): compared(key, value)
                for key, value in each.evidence.items()
                if not key.endswith("_id")  # another one each time
            }
            for each in (left, right)
        ]
        rows += _by_key(*told)
    return rows


def _shares(report: IncidentReport) -> dict[str, Value]:
    return {each.words: _share(each) for each in report.time_shares}


def _share(share: Share) -> Value:
    words = f"{short_duration(share.duration_ns)}, {share.share:.0%}"
    return Value(words, {"": share.duration_ns})


def _routes(one: Mapping[str, Route], other: Mapping[str, Route]) -> list[Row]:
    busiest = sorted(
        {*one, *other},
        key=lambda name: (-sum(each[name].total_ns for each in (one, other) if name in each), name),
    )
    rows = []
    for name in busiest:
        routes = [each.get(name) for each in (one, other)]
        is_often = any(each.is_often for each in routes if each is not None)
        values = [each.value(with_rate=is_often) if each is not None else None for each in routes]
        rows.append(row_of(name, *values))
    return rows


def _window(report: IncidentReport) -> dict[str, Value]:
    manifest = report.manifest
    numbers = {
        "spans": manifest.spans,
        "requests": len(report.roots),
        "requests still open": len(report.open_roots),
        "failed requests": sum(root.is_error for root in report.roots),
    }
    lost = "; ".join(loss_words(manifest.losses)) or "nothing"
    counted = {name: Value(f"{number:,}", {"": number}) for name, number in numbers.items()}
    return {**counted, "lost": Value(lost), "covered": Value(coverage_words(manifest))}


def _process(report: IncidentReport) -> dict[str, Value]:
    manifest = report.manifest
    facts = [(key, manifest.process[key]) for key in _PROCESS if key in manifest.process]
    return {key: Value(str(value)) for key, value in [*facts, *manifest.resource.items()]}
